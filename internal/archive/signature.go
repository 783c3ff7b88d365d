package archive

import (
	"bytes"
	"crypto"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// keyring.gpg is debian-archive-keyring.gpg of Debian's package
// debian-archive-keyring, byte for byte: the keys that sign bullseye, bookworm,
// trixie and forky. To renew it, copy the file of a newer version of the
// package and bring this list up to date (a test compares the two):
//
//	1F89983E0081FDE018F3CC9673A4F27B8DD47936  Archive Automatic Signing Key (11/bullseye)
//	AC530D520F2F3269F5E98313A48449044AAD5C5D  Security Archive Automatic Signing Key (11/bullseye)
//	A4285295FC7B1A81600062A9605C66F00D6C9793  Stable Release Key (11/bullseye)
//	B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8  Archive Automatic Signing Key (12/bookworm)
//	05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0  Security Archive Automatic Signing Key (12/bookworm)
//	4D64FEC119C2029067D6E791F8D2585B8783D481  Stable Release Key (12/bookworm)
//	04B54C3CDCA79751B16BC6B5225629DF75B188BD  Archive Automatic Signing Key (13/trixie)
//	5E04A1E3223A19A20706E20F9904613D4CCE68C6  Security Archive Automatic Signing Key (13/trixie)
//	41587F7DB8C774BCCF131416762F67A0B2C39DE4  Stable Release Key (13/trixie)
//
//go:embed keyring.gpg
var keyring []byte

// Keyring is the archive keys that xbuild trusts from the start.
func Keyring() (openpgp.EntityList, error) {
	return ReadKeyring(keyring)
}

// ReadKeyring reads keys as a keyring file holds them, binary or armored.
func ReadKeyring(data []byte) (openpgp.EntityList, error) {
	if bytes.HasPrefix(data, []byte("-----BEGIN")) {
		return openpgp.ReadArmoredKeyRing(bytes.NewReader(data))
	}
	return openpgp.ReadKeyRing(bytes.NewReader(data))
}

// ErrSignature is what an InRelease that cannot be trusted fails with.
var ErrSignature = errors.New("signature is not good")

// maxInRelease bounds what is read of a Release: Debian's have 160 kB.
const maxInRelease = 16 << 20

var (
	beginMessage = []byte("-----BEGIN PGP SIGNED MESSAGE-----")
	// The algorithms that apt trusts too: collisions of SHA-1 are bought.
	trustedHashes = map[crypto.Hash]bool{crypto.SHA256: true, crypto.SHA384: true, crypto.SHA512: true}
)

// VerifyInRelease returns the signed text of an InRelease file, and nothing
// that lies before, after or beside it. One good signature is enough, as a
// Release carries those of two or three generations of keys; a wrong signature
// by a trusted key is always an error. Keys are judged as of the moment they
// signed, since archived suites keep signatures of keys that ended later.
func VerifyInRelease(keys openpgp.EntityList, data []byte) ([]byte, error) {
	if len(data) > maxInRelease {
		return nil, fmt.Errorf("InRelease: %w: %d bytes is too long (at most %d)", ErrSignature, len(data), maxInRelease)
	}
	if !bytes.HasPrefix(data, beginMessage) {
		return nil, fmt.Errorf("InRelease: %w: it does not begin with %q; what answered is perhaps a login page or a proxy: try another mirror", ErrSignature, beginMessage)
	}
	block, rest := clearsign.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("InRelease: %w: it is cut short or malformed; try again or use another mirror", ErrSignature)
	}
	if len(bytes.TrimSpace(rest)) != 0 {
		return nil, fmt.Errorf("InRelease: %w: %d bytes follow the signature, which nobody signed; use another mirror", ErrSignature, len(rest))
	}

	if err := verify(keys, "InRelease", block.Bytes, block.ArmoredSignature.Body); err != nil {
		return nil, err
	}
	return block.Plaintext, nil
}

// VerifyDetached says whether a text is what a trusted key signed, by the armored signature that lies beside it. Keys,
// algorithms and time are judged as in VerifyInRelease; name is the text's, for the error.
func VerifyDetached(keys openpgp.EntityList, name string, text, signature []byte) error {
	block, err := armor.Decode(bytes.NewReader(signature))
	if err != nil {
		return fmt.Errorf("%s: %w: what should be its signature is none (%w); what answered is perhaps a login page or a proxy: try another mirror", name, ErrSignature, err)
	}
	if block.Type != openpgp.SignatureType {
		return fmt.Errorf("%s: %w: what should be its signature is a %s", name, ErrSignature, block.Type)
	}
	return verify(keys, name, text, block.Body)
}

// verify looks at each signature of a text; name is for the error.
func verify(keys openpgp.EntityList, name string, text []byte, signatures io.Reader) error {
	// go-crypto stops at the first signature whose key it has; here each is looked at.
	var good bool
	var unknown, unusable []string
	packets := packet.NewOpaqueReader(signatures)
	for {
		raw, err := packets.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w: %w", name, ErrSignature, err)
		}
		p, err := raw.Parse()
		var unsupported pgperrors.UnsupportedError
		if errors.As(err, &unsupported) {
			unusable = append(unusable, err.Error())
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w: %w", name, ErrSignature, err)
		}
		sig, ok := p.(*packet.Signature)
		if !ok || sig.IssuerKeyId == nil {
			return fmt.Errorf("%s: %w: the signature block holds something else than signatures", name, ErrSignature)
		}
		id := keyName(sig)
		if len(keys.KeysByIdUsage(*sig.IssuerKeyId, packet.KeyFlagSign)) == 0 {
			unknown = append(unknown, id)
			continue
		}
		if !trustedHashes[sig.Hash] {
			unusable = append(unusable, fmt.Sprintf("%s signed with %v, which is too weak", id, sig.Hash))
			continue
		}
		switch err := verifyOne(keys, text, raw, sig.CreationTime); {
		case err == nil:
			good = true
		case errors.Is(err, pgperrors.ErrKeyExpired),
			errors.Is(err, pgperrors.ErrSignatureExpired),
			errors.Is(err, pgperrors.ErrKeyRevoked):
			unusable = append(unusable, fmt.Sprintf("%s: %v", id, err))
		default:
			return fmt.Errorf("%s: %w: key %s did not sign this text (%w); the file was changed on its way: use another mirror", name, ErrSignature, id, err)
		}
	}
	if good {
		return nil
	}
	what := "it has no signature"
	switch {
	case len(unusable) > 0:
		what = strings.Join(unusable, "; ")
	case len(unknown) > 0:
		what = "signed by " + strings.Join(unknown, ", ") + ", of which none is trusted"
	}
	return fmt.Errorf("%s: %w: %s; trusted are %s. Use a mirror of the archive itself, or a newer xbuild if the archive changed its keys", name, ErrSignature, what, keyNames(keys))
}

func verifyOne(keys openpgp.EntityList, signed []byte, raw *packet.OpaquePacket, made time.Time) error {
	var sig bytes.Buffer
	if err := raw.Serialize(&sig); err != nil {
		return err
	}
	config := &packet.Config{Time: func() time.Time { return made }}
	_, err := openpgp.CheckDetachedSignature(keys, bytes.NewReader(signed), &sig, config)
	return err
}

func keyName(sig *packet.Signature) string {
	if len(sig.IssuerFingerprint) > 0 {
		return fmt.Sprintf("%X", sig.IssuerFingerprint)
	}
	return fmt.Sprintf("%016X", *sig.IssuerKeyId)
}

func keyNames(keys openpgp.EntityList) string {
	if len(keys) == 0 {
		return "no keys at all"
	}
	var names []string
	for _, e := range keys {
		names = append(names, fmt.Sprintf("%016X", e.PrimaryKey.KeyId))
	}
	return strings.Join(names, ", ")
}
