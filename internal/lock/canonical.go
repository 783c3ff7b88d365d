package lock

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// canonical reads a text that is laid out exactly as encode does. It gives up
// at the first byte that is not, and the toml package reads the file instead:
// that takes twenty times as long, more than all else that "xbuild env" does.
func canonical(text string) (*Lock, bool) {
	r := &reader{rest: text}
	l := &Lock{Version: Version}
	r.expect(header + "version = " + strconv.Itoa(Version) + "\n")
	for r.rest != "" && !r.failed {
		switch {
		case r.accept("\n[[toolchain]]\n"):
			l.Toolchains = append(l.Toolchains, Toolchain{
				Name:       r.text("name"),
				Platform:   r.optional("platform"),
				Version:    r.text("version"),
				Host:       r.text("host"),
				Constraint: r.text("constraint"),
				Archive:    r.text("archive"),
				Suite:      r.text("suite"),
				Date:       r.text("date"),
				Roots:      r.list("roots"),
				Files:      r.files(),
			})
		case r.accept("\n[[sysroot]]\n"):
			l.Sysroots = append(l.Sysroots, Sysroot{
				Name:    r.text("name"),
				Arch:    r.text("arch"),
				Version: r.text("version"),
				Archive: r.text("archive"),
				Suite:   r.text("suite"),
				Date:    r.text("date"),
				Roots:   r.list("roots"),
				Files:   r.files(),
			})
		default:
			r.failed = true
		}
	}
	return l, !r.failed && utf8.ValidString(text)
}

type reader struct {
	rest   string
	failed bool
}

func (r *reader) accept(literal string) bool {
	rest, ok := strings.CutPrefix(r.rest, literal)
	r.rest = rest
	return ok
}

func (r *reader) expect(literal string) {
	if !r.accept(literal) {
		r.failed = true
	}
}

// quoted reads a string without escapes.
func (r *reader) quoted() string {
	r.expect(`"`)
	for i := 0; i < len(r.rest) && !r.failed; i++ {
		switch c := r.rest[i]; {
		case c == '"':
			s := r.rest[:i]
			r.rest = r.rest[i+1:]
			return s
		case c == '\\' || c < ' ' || c == 0x7f:
			r.failed = true
		}
	}
	r.failed = true
	return ""
}

func (r *reader) text(key string) string {
	r.expect(key)
	r.expect(" = ")
	s := r.quoted()
	r.expect("\n")
	return s
}

// optional reads a text that is left out where it is empty.
func (r *reader) optional(key string) string {
	if !strings.HasPrefix(r.rest, key+" = ") {
		return ""
	}
	s := r.text(key)
	r.failed = r.failed || s == ""
	return s
}

func (r *reader) list(key string) []string {
	r.expect(key)
	r.expect(" = [")
	var out []string
	for !r.failed && !r.accept("]\n") {
		if out != nil {
			r.expect(", ")
		}
		out = append(out, r.quoted())
	}
	return out
}

func (r *reader) files() []File {
	r.expect("files = [\n")
	var out []File
	for !r.failed && !r.accept("]\n") {
		var f File
		r.expect("  { name = ")
		f.Name = r.quoted()
		r.expect(", version = ")
		f.Version = r.quoted()
		r.expect(", arch = ")
		f.Arch = r.quoted()
		r.expect(", size = ")
		f.Size = r.number()
		r.expect(", sha256 = ")
		f.SHA256 = r.quoted()
		r.expect(", path = ")
		f.Path = r.quoted()
		if r.accept(", archive = ") {
			f.Archive = r.quoted()
			r.failed = r.failed || f.Archive == ""
		}
		r.expect(" },\n")
		out = append(out, f)
	}
	return out
}

func (r *reader) number() int64 {
	digits := r.rest[:len(r.rest)-len(strings.TrimLeft(r.rest, "0123456789"))]
	r.rest = r.rest[len(digits):]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || digits != strconv.FormatInt(n, 10) {
		r.failed = true
	}
	return n
}
