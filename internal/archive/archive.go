// Package archive reads Debian-format package archives: the signature of an InRelease file, the indexes that it names
// (packages, sources, contents), the dependency closure of some packages, the files inside a .deb, and the links that
// its scripts would make by update-alternatives. It unpacks the compressed tar files of other archives too, and checks
// their signatures. Bytes and files come in, packages and unpacked trees go out; it never uses the network and runs no
// script.
//
// The chain of trust is Keyring -> VerifyInRelease -> ParseRelease ->
// Release.Index (hash of Packages) -> Package.Hash (hash of a .deb). A caller
// checks each downloaded file with CheckFile before it goes one step further.
package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrMismatch is what a file with a wrong size or checksum fails with.
var ErrMismatch = errors.New("file is not what the archive signed")

// FileHash is what a signed index says of a file.
type FileHash struct {
	SHA256 string // lower-case hexadecimal
	Size   int64
}

// CheckFile compares a file with what the archive says of it.
func CheckFile(path string, want FileHash) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if st.Size() != want.Size {
		return fmt.Errorf("%s: %w: size is %d bytes, want %d", path, ErrMismatch, st.Size(), want.Size)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want.SHA256 {
		return fmt.Errorf("%s: %w: sha256 is %s, want %s", path, ErrMismatch, got, want.SHA256)
	}
	return nil
}

// CheckBytes is CheckFile for data in memory; name is for the error.
func CheckBytes(name string, data []byte, want FileHash) error {
	if int64(len(data)) != want.Size {
		return fmt.Errorf("%s: %w: size is %d bytes, want %d", name, ErrMismatch, len(data), want.Size)
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != want.SHA256 {
		return fmt.Errorf("%s: %w: sha256 is %s, want %s", name, ErrMismatch, got, want.SHA256)
	}
	return nil
}

// validSHA256 tells a checksum from anything else, so that a signed index never
// turns into a path such as by-hash/SHA256/../../x.
func validSHA256(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
