package lock

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"xbuild/internal/tomlfile"
)

// maxSize bounds what is read: a lock of every platform has 100 kB.
const maxSize = 16 << 20

// Read reads a lock. A file that does not exist is an empty lock.
func Read(path string) (*Lock, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Lock{Version: Version}, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSize {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxSize)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, text)
}

func parse(file string, text []byte) (*Lock, error) {
	root, err := tomlfile.Scan(string(text))
	var l *Lock
	if err == nil {
		l, err = bind(root)
	}
	if err != nil {
		if line := conflict(text); line > 0 {
			return nil, fmt.Errorf("%s:%d: unresolved merge conflict; take either side whole and run \"xbuild lock\", which adds what the other side needs", file, line)
		}
		if l, root, err = decode(file, text); err != nil {
			return nil, err
		}
	}
	if where, err := check(*l); err != nil {
		return nil, fmt.Errorf("%s%s: %w", file, where.line(root), err)
	}
	return l, nil
}

// decode reads any TOML that is a lock, and says what is wrong with any other.
func decode(file string, text []byte) (*Lock, *tomlfile.Node, error) {
	var l Lock
	root, md, err := tomlfile.Decode(string(text), &l)
	var nested *tomlfile.NestedError
	if errors.As(err, &nested) {
		return nil, nil, fmt.Errorf("%s:%d: %w", file, nested.Line, err)
	}
	if err != nil {
		// A newer format may well have other types: say that first.
		if newer := newerVersion(text); newer != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, newer)
		}
		var syntax toml.ParseError
		if errors.As(err, &syntax) && syntax.Position.Line > 0 {
			return nil, nil, fmt.Errorf("%s:%d: not a lock: %s", file, syntax.Position.Line, syntax.Message)
		}
		return nil, nil, fmt.Errorf("%s: not a lock: %s", file, strings.TrimPrefix(err.Error(), "toml: "))
	}
	if !md.IsDefined("version") {
		return nil, nil, fmt.Errorf("%s: has no version, so it is not a lock", file)
	}
	if l.Version > Version {
		return nil, nil, fmt.Errorf("%s: %w", file, errVersion(l.Version))
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		return nil, nil, fmt.Errorf("%s: unknown key %s", file, unknown[0])
	}
	return &l, root, nil
}

func errVersion(v int) error {
	return fmt.Errorf("version %d of the format is newer than this xbuild, which reads version %d; use the xbuild that wrote it", v, Version)
}

func newerVersion(text []byte) error {
	var v struct {
		Version int `toml:"version"`
	}
	if _, err := toml.Decode(string(text), &v); err == nil && v.Version > Version {
		return errVersion(v.Version)
	}
	return nil
}

// conflict is the line of the first mark that a merge left, or 0.
func conflict(text []byte) int {
	for i, line := range bytes.Split(text, []byte("\n")) {
		for _, mark := range []string{"<<<<<<< ", "||||||| ", ">>>>>>> "} {
			if bytes.HasPrefix(line, []byte(mark)) {
				return i + 1
			}
		}
		if string(bytes.TrimSuffix(line, []byte("\r"))) == "=======" {
			return i + 1
		}
	}
	return 0
}

// A place is the way to what a fault is in: keys, and places in lists.
type place []string

// line is where it stands, as an error shows it; "" where the fault is in no one line.
func (p place) line(root *tomlfile.Node) string {
	if p == nil {
		return ""
	}
	at := root
	for _, step := range p {
		if i, err := strconv.Atoi(step); err == nil {
			at = at.Item(i)
		} else {
			at = at.Key(step)
		}
	}
	return fmt.Sprintf(":%d", at.Line)
}

// in is a place in p.
func (p place) in(steps ...string) place { return slices.Concat(p, steps) }

// check says what no lock may hold: whoever uses a lock's paths and sizes
// relies on it.
func check(l Lock) (place, error) {
	if l.Version != Version {
		return nil, fmt.Errorf("version %d of the format is unknown (want %d)", l.Version, Version)
	}
	for i, t := range l.Toolchains {
		if t.Name == "" || t.Host == "" || t.Version == "" {
			return nil, fmt.Errorf("toolchain %q for host %q, version %q: each of the three is needed",
				t.Name, t.Host, t.Version)
		}
		what := "toolchain " + t.Name
		if t.Platform != "" {
			what += " of " + t.Platform
		}
		what += " for host " + t.Host
		if slices.ContainsFunc(l.Toolchains[:i], func(o Toolchain) bool { return compareToolchains(t, o) == 0 }) {
			return nil, fmt.Errorf("%s is locked twice", what)
		}
		if where, err := checkFiles(place{"toolchain", strconv.Itoa(i)}, what, t.Files, t.Roots,
			text{"constraint", t.Constraint}, text{"archive", t.Archive}, text{"suite", t.Suite}, text{"date", t.Date},
			text{"version", t.Version}, text{"name", t.Name}, text{"platform", t.Platform}, text{"host", t.Host},
		); err != nil {
			return where, err
		}
	}
	for i, s := range l.Sysroots {
		if s.Name == "" || s.Arch == "" || s.Version == "" {
			return nil, fmt.Errorf("sysroot %q for %q, version %q: each of the three is needed", s.Name, s.Arch, s.Version)
		}
		what := fmt.Sprintf("sysroot %s for %s", s.Name, s.Arch)
		if slices.ContainsFunc(l.Sysroots[:i], func(o Sysroot) bool { return compareSysroots(s, o) == 0 }) {
			return nil, fmt.Errorf("%s from %s with the packages %s is locked twice", what, s.Suite, strings.Join(s.Roots, " "))
		}
		if where, err := checkFiles(place{"sysroot", strconv.Itoa(i)}, what, s.Files, s.Roots,
			text{"archive", s.Archive}, text{"suite", s.Suite}, text{"date", s.Date}, text{"version", s.Version},
			text{"name", s.Name}, text{"arch", s.Arch},
		); err != nil {
			return where, err
		}
		for at, name := range s.Programs {
			if !slices.ContainsFunc(s.Files, func(f File) bool { return f.Name == name }) {
				return place{"sysroot", strconv.Itoa(i), "programs", strconv.Itoa(at)},
					fmt.Errorf("%s: programs names %q, which is none of its files", what, name)
			}
		}
	}
	return nil, nil
}

// A text is the value of a key.
type text struct{ key, value string }

func checkFiles(at place, what string, files []File, roots []string, texts ...text) (place, error) {
	if where, err := checkText(at, what, texts...); err != nil {
		return where, err
	}
	for i, root := range roots {
		if where, err := checkText(at.in("roots"), what, text{strconv.Itoa(i), root}); err != nil {
			return where, err
		}
	}
	paths := make(map[string]bool, len(files))
	for i, f := range files {
		here := func(key string) place { return at.in("files", strconv.Itoa(i), key) }
		texts := []text{{"name", f.Name}, {"version", f.Version}, {"arch", f.Arch}, {"archive", f.Archive}}
		if where, err := checkText(at, what, texts...); err != nil {
			return here(where[len(where)-1]), err
		}
		switch {
		case f.Name == "":
			return here("name"), fmt.Errorf("%s: the file %q has no name", what, f.Path)
		case !relative(f.Path):
			return here("path"), fmt.Errorf("%s: the path %q of %s is not a clean path below the archive's root",
				what, f.Path, f.Name)
		case paths[f.Path]:
			return nil, fmt.Errorf("%s: the file %s is locked twice", what, f.Path)
		case len(f.SHA256) != 64 || strings.Trim(f.SHA256, "0123456789abcdef") != "":
			return here("sha256"), fmt.Errorf("%s: sha256 %q of %s is not 64 lower-case hexadecimal digits",
				what, f.SHA256, f.Name)
		case f.Size <= 0:
			return here("size"), fmt.Errorf("%s: size %d of %s is not that of a file", what, f.Size, f.Name)
		}
		paths[f.Path] = true
	}
	return nil, nil
}

// checkText keeps out what a line of the lock cannot show as it is.
func checkText(at place, what string, texts ...text) (place, error) {
	for _, t := range texts {
		if !utf8.ValidString(t.value) || strings.ContainsFunc(t.value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return at.in(t.key), fmt.Errorf("%s: %q has characters that no name or version has", what, t.value)
		}
	}
	return nil, nil
}

// relative tells a clean path that stays below the root. Backslashes and
// percent signs would mean something else to a URL or another system.
func relative(p string) bool {
	return p != "" && p != "." && p == path.Clean(p) && !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../") &&
		utf8.ValidString(p) && !strings.ContainsAny(p, "\\?#") && !strings.ContainsFunc(p, func(r rune) bool {
		return r < ' ' || r == 0x7f
	})
}
