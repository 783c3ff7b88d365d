package lock

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

const header = "# The exact files behind this project's toolchains and sysroots.\n" +
	"# Written by \"xbuild lock\"; commit it, and leave it as it is.\n"

// Write writes the lock, whole or not at all. A file that has this content
// already is not touched.
func (l *Lock) Write(path string) error {
	if _, err := check(l.ordered()); err != nil {
		return fmt.Errorf("%s not written: %w", path, err)
	}
	text := l.encode()
	before, err := os.ReadFile(path)
	if err == nil && bytes.Equal(before, text) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+FileName+"-*")
	if err != nil {
		return fmt.Errorf("%s not written: %w", path, err)
	}
	defer os.Remove(f.Name()) // no longer there once renamed
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("%s not written: %w", path, err)
	}
	return nil
}

// encode is the lock's text. The toml package would put a list of tables on
// one line, or each of a file's fields on its own; a file a line is what a
// diff shows best.
func (l *Lock) encode() []byte {
	c := l.ordered()
	w := &writer{}
	w.WriteString(header)
	w.number("version", Version)
	for _, t := range c.Toolchains {
		w.WriteString("\n[[toolchain]]\n")
		w.text("name", t.Name)
		if t.Platform != "" {
			w.text("platform", t.Platform)
		}
		w.text("version", t.Version)
		w.text("host", t.Host)
		w.text("constraint", t.Constraint)
		w.text("archive", t.Archive)
		w.text("suite", t.Suite)
		w.text("date", t.Date)
		w.list("roots", t.Roots)
		w.files(t.Files)
	}
	for _, s := range c.Sysroots {
		w.WriteString("\n[[sysroot]]\n")
		w.text("name", s.Name)
		w.text("arch", s.Arch)
		w.text("version", s.Version)
		w.text("archive", s.Archive)
		w.text("suite", s.Suite)
		w.text("date", s.Date)
		w.list("roots", s.Roots)
		if len(s.Programs) > 0 {
			w.list("programs", s.Programs)
		}
		w.files(s.Files)
	}
	return w.Bytes()
}

type writer struct{ bytes.Buffer }

func (w *writer) number(key string, n int64) {
	w.WriteString(key + " = " + strconv.FormatInt(n, 10) + "\n")
}

func (w *writer) text(key, value string) {
	w.WriteString(key + " = ")
	w.quoted(value)
	w.WriteByte('\n')
}

func (w *writer) list(key string, values []string) {
	w.WriteString(key + " = [")
	for i, v := range values {
		if i > 0 {
			w.WriteString(", ")
		}
		w.quoted(v)
	}
	w.WriteString("]\n")
}

func (w *writer) files(files []File) {
	w.WriteString("files = [\n")
	for _, f := range files {
		w.WriteString("  { name = ")
		w.quoted(f.Name)
		w.WriteString(", version = ")
		w.quoted(f.Version)
		w.WriteString(", arch = ")
		w.quoted(f.Arch)
		w.WriteString(", size = " + strconv.FormatInt(f.Size, 10) + ", sha256 = ")
		w.quoted(f.SHA256)
		w.WriteString(", path = ")
		w.quoted(f.Path)
		if f.Archive != "" {
			w.WriteString(", archive = ")
			w.quoted(f.Archive)
		}
		w.WriteString(" },\n")
	}
	w.WriteString("]\n")
}

// quoted writes a basic string of TOML.
func (w *writer) quoted(s string) {
	w.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.WriteByte('\\')
			w.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(w, `\u%04x`, r)
		default: // what is no UTF-8 ranges as utf8.RuneError, which TOML can hold
			w.WriteRune(r)
		}
	}
	w.WriteByte('"')
}
