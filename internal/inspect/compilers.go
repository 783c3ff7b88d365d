package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"runtime/debug"
	"slices"
	"strings"

	"xbuild/internal/lazyregexp"
)

// compilers says who compiled and linked it: by section .comment, where each compiler and linker leaves a line; by the
// names that compilers give themselves in debug information; and by the path of Rust's standard library, which stays in
// panic messages when everything else was stripped.
func (e elfFile) compilers(r *Report) error {
	add := func(name string) {
		if name = strings.TrimSpace(name); name != "" && len(name) < 256 && len(r.Compilers) < 64 &&
			!slices.Contains(r.Compilers, name) {
			r.Compilers = append(r.Compilers, name)
		}
	}
	for i := range e.Sections {
		s := &e.Sections[i]
		switch s.Name {
		case ".comment":
			if s.Size > 1<<20 {
				continue
			}
			data, err := e.Content(s)
			if err != nil {
				return err
			}
			for line := range bytes.SplitSeq(data, []byte{0}) {
				add(string(line))
			}
		case ".debug_str":
			if len(r.Compilers) > 0 || s.Size > 1<<26 {
				continue
			}
			data, err := e.Content(s)
			if err != nil {
				return err
			}
			for _, m := range producers.FindAll(data, 64) {
				add(string(m))
			}
		}
	}
	if slices.ContainsFunc(r.Compilers, func(c string) bool { return strings.Contains(c, "rustc") }) {
		return nil
	}
	for i := range e.Sections {
		s := &e.Sections[i]
		if s.Name != ".rodata" && s.Name != ".data.rel.ro" || s.Size > 1<<26 {
			continue
		}
		data, err := e.Content(s)
		if err != nil {
			return err
		}
		if std := rustStd(data); std != "" {
			add(std)
			return nil
		}
	}
	return nil
}

var (
	// DW_AT_producer: "GNU C17 12.2.0 -mtune=…", "Debian clang version 19.1.7 (3)", "clang LLVM (rustc version
	// 1.85.0)".
	producers  = lazyregexp.New(`(?:GNU (?:C|C\+\+|Fortran|Ada|GIMPLE|AS)[0-9]* [0-9][0-9.]*|[A-Za-z]* ?clang version [0-9][^\x00]{0,80}|clang LLVM \(rustc version [^)\x00]{1,60}\))`)
	rustSource = lazyregexp.New(`^/rustc[/-]([0-9a-f]{40}|[0-9]+\.[0-9]+\.[0-9]+[-+.a-z0-9]*)(?:-src)?/library/`)
)

// rustStd finds the path of Rust's standard library, which panic messages hold: with the commit that it was built from,
// or Debian's version.
func rustStd(data []byte) string {
	for {
		i := bytes.Index(data, []byte("/rustc"))
		if i < 0 {
			return ""
		}
		data = data[i:]
		if m := rustSource.FindSubmatch(data[:min(len(data), 256)]); m != nil {
			return "rustc (standard library of " + string(m[1]) + ")"
		}
		data = data[1:]
	}
}

// goMagic begins what the Go linker notes (debug/buildinfo).
var goMagic = []byte("\xff Go buildinf:")

// goBuild reads what the Go linker noted, where it did: section .go.buildinfo, or the data segment where the sections
// are gone.
func (e elfFile) goBuild(r *Report) error {
	if s := e.Section(".go.buildinfo"); s != nil {
		data, err := e.Content(s)
		if err != nil {
			return err
		}
		r.Go = parseGoBuild(data)
		return nil
	}
	if len(e.Sections) > 0 {
		return nil
	}
	for i := range e.Progs {
		if p := &e.Progs[i]; p.Type == elf.PT_LOAD && p.Flags&(elf.PF_X|elf.PF_W) == elf.PF_W {
			data, err := e.Bytes(p.Off, min(p.Filesz, 1<<24), "the data segment")
			if err != nil {
				return err
			}
			if r.Go = findGoBuild(data); r.Go != nil {
				return nil
			}
		}
	}
	return nil
}

// findGoBuild looks for the note in a block of data, where it stands at a multiple of 16.
func findGoBuild(data []byte) *GoBuild {
	for at := 0; ; {
		i := bytes.Index(data[at:], goMagic)
		if i < 0 {
			return nil
		}
		if at += i; at%16 == 0 {
			return parseGoBuild(data[at:])
		}
		at++
	}
}

// parseGoBuild reads the note: the magic, a byte that tells the form, and at 32 two texts with their lengths, the
// second between two marks of 16 bytes. Go before 1.18 had pointers there; of that only the fact is told.
func parseGoBuild(data []byte) *GoBuild {
	if len(data) < 32 || !bytes.HasPrefix(data, goMagic) {
		return nil
	}
	if data[15]&2 == 0 {
		return &GoBuild{Version: "before go1.18"}
	}
	text := func(b []byte) (string, []byte) {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return "", nil
		}
		return string(b[size : size+int(n)]), b[size+int(n):]
	}
	version, rest := text(data[32:])
	mod, _ := text(rest)
	g := &GoBuild{Version: version}
	if len(mod) >= 33 && mod[len(mod)-17] == '\n' {
		mod = mod[16 : len(mod)-16]
	} else {
		mod = ""
	}
	info, err := debug.ParseBuildInfo(mod)
	if err != nil {
		return g
	}
	g.Path = info.Path
	if info.Main.Path != "" {
		g.Module = strings.TrimSuffix(info.Main.Path+"@"+info.Main.Version, "@")
	}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		g.Deps = append(g.Deps, strings.TrimSuffix(d.Path+"@"+d.Version, "@"))
	}
	for _, s := range info.Settings {
		if g.Settings == nil {
			g.Settings = map[string]string{}
		}
		g.Settings[s.Key] = s.Value
	}
	return g
}
