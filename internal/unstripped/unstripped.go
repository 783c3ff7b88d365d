// Package unstripped keeps what a project's own build strips until its artifacts are audited: only symbols tell code
// from data, and which code asks the machine first. The tools of a view that strip come in with their command lines,
// and files as they were linked go into a directory, named by the code in them, before the tools take the symbols away.
// An artifact comes in, and the kept file with the same code goes out. It never changes what the tools make.
package unstripped

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/object"
)

// Variable is set for the commands of an action, to the directory in which files are kept. Where it is not set, tools
// do what they do everywhere.
const Variable = "XBUILD_UNSTRIPPED"

// A content is what a linked file holds that no strip changes, and how much that a strip takes away.
type content struct {
	code    string            // hash of the sections of code, with their addresses
	data    map[uint64]string // hashes of the sections of data by their addresses
	symbols int64             // entries in the file's own table of symbols
}

// lasting are the types of sections whose content stays as it was linked.
var lasting = []elf.SectionType{elf.SHT_PROGBITS, elf.SHT_INIT_ARRAY, elf.SHT_FINI_ARRAY, elf.SHT_PREINIT_ARRAY}

// errOther says that a file is no linked program or library.
var errOther = errors.New("neither an executable nor a shared object")

// read reads a program or a library, of ELF or PE.
func read(path string) (content, error) {
	s, f, err := object.Open(path)
	if errors.Is(err, object.ErrFormat) {
		return content{}, errOther
	}
	if err != nil {
		return content{}, err
	}
	defer f.Close()
	h := hasher{code: sha256.New(), content: content{data: map[uint64]string{}}}
	switch {
	case object.IsELF(s):
		err = h.readELF(s)
	case string(s.Head(2)) == "MZ":
		err = h.readPE(s)
	default:
		return content{}, errOther
	}
	if err != nil {
		return content{}, fmt.Errorf("%s: %w", path, err)
	}
	h.content.code = hex.EncodeToString(h.code.Sum(nil)[:16])
	return h.content, nil
}

// A hasher makes the content of a file.
type hasher struct {
	code    hash.Hash
	content content
}

// section takes a section, of code or of data.
func (h *hasher) section(r io.Reader, addr uint64, executable bool, size int64) error {
	if executable {
		fmt.Fprintf(h.code, "%#x %d\n", addr, size)
		_, err := io.CopyN(h.code, r, size)
		return err
	}
	sum := sha256.New()
	_, err := io.CopyN(sum, r, size)
	h.content.data[addr] = fmt.Sprintf("%d %x", size, sum.Sum(nil))
	return err
}

func (h *hasher) readELF(s *object.Source) error {
	e, err := object.OpenELF(s)
	if err == nil {
		err = e.ReadSections()
	}
	if err != nil || e.Type != elf.ET_EXEC && e.Type != elf.ET_DYN {
		return errors.Join(err, errOther)
	}
	fmt.Fprintln(h.code, e.Machine, e.Class, e.Data)
	for _, s := range e.Sections {
		if s.Type == elf.SHT_SYMTAB && s.Entsize > 0 {
			h.content.symbols = int64(s.Size / s.Entsize)
		}
		// What is edited after the link is no part of what the program does: paths by an installation (.interp,
		// .dynstr, .dynamic), the hash of its code by Go (cmd/link/internal/ld/fips140.go).
		edited := !slices.Contains(lasting, s.Type) || s.Name == ".interp" || s.Name == ".go.fipsinfo"
		if s.Flags&elf.SHF_ALLOC == 0 || s.Size == 0 || edited {
			continue
		}
		// By pieces: a section of code may have more bytes than are held in memory.
		body := io.NewSectionReader(e, int64(s.Offset), int64(s.Size))
		if err := h.section(body, s.Addr, s.Flags&elf.SHF_EXECINSTR != 0, int64(s.Size)); err != nil {
			return fmt.Errorf("section %s: %w", s.Name, err)
		}
	}
	return nil
}

func (h *hasher) readPE(s *object.Source) error {
	p, err := object.OpenPE(s)
	if err != nil {
		return errors.Join(err, errOther)
	}
	fmt.Fprintln(h.code, p.Machine)
	h.content.symbols = int64(p.SymbolCount())
	// Where a PE file says where its debug information lies, it does so by offsets in the file, which a strip changes
	// (PE Format, "The .debug Section").
	debugAt, debugSize := p.Directory(object.PEDebug)
	for i := range p.Sections {
		s := &p.Sections[i]
		if min(s.Size, s.VirtualSize) == 0 || !s.Executable() && s.Discardable() {
			continue
		}
		data, err := p.Content(s)
		if err == nil {
			data = data[:min(len(data), int(s.VirtualSize))]
			clear(overlap(data, s.Address, debugAt, debugSize))
			clear(goStamp(data, "\xff Go build ID: \"", "\"\n \xff"))
			clear(goStamp(data, "\xff Go fipsinfo \xff\x00", ""))
			err = h.section(bytes.NewReader(data), uint64(s.Address), s.Executable(), int64(len(data)))
		}
		if err != nil {
			return fmt.Errorf("section %s: %w", s.Name, err)
		}
	}
	return nil
}

// overlap is the part of a section's data, which lies at an address, that a directory is in.
func overlap(data []byte, addr, at, size uint32) []byte {
	from, to := int64(at)-int64(addr), int64(at)+int64(size)-int64(addr)
	from, to = min(max(from, 0), int64(len(data))), min(max(to, 0), int64(len(data)))
	return data[from:max(from, to)]
}

// goStamp is what Go writes into a program after it was linked, between two marks, or 32 bytes after one: the ID of its
// build (cmd/internal/buildid), the hash of its code (crypto/internal/fips140/check). Where ELF files have them, they
// are sections of their own.
func goStamp(data []byte, mark, end string) []byte {
	i := bytes.Index(data, []byte(mark))
	if i < 0 {
		return nil
	}
	data = data[i+len(mark):]
	if end == "" {
		return data[:min(32, len(data))]
	}
	return data[:max(0, bytes.Index(data, []byte(end)))]
}

// name is the name under which a file is kept.
func (c content) name() string {
	h := sha256.New()
	for _, addr := range slices.Sorted(maps.Keys(c.data)) {
		fmt.Fprintln(h, addr, c.data[addr])
	}
	return c.code + "-" + hex.EncodeToString(h.Sum(nil)[:8])
}

// is says that two files are one program: their code is the same, and so are the data that both have. What a strip was
// told to take beside symbols is in one alone.
func (c content) is(o content) bool {
	if c.code != o.code {
		return false
	}
	for addr, sum := range c.data {
		if other, ok := o.data[addr]; ok && other != sum {
			return false
		}
	}
	return true
}

// Keep keeps a file, where it is a program or a library with symbols. What is none may be stripped as ever.
func Keep(dir, file string) error {
	c, err := read(file)
	if errors.Is(err, errOther) || errors.Is(err, fs.ErrNotExist) || err == nil && c.symbols == 0 {
		return nil // it is the tool's to say what is wrong with it
	}
	if err != nil {
		return err
	}
	to := filepath.Join(dir, c.name())
	if old, err := read(to); err == nil && old.is(c) && old.symbols >= c.symbols {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%d", to, rand.Uint64())
	defer os.Remove(tmp) // rename(2) leaves it where both names are of one file already
	// The tools write a new file under the name of the old one (llvm/lib/Support/FileOutputBuffer.cpp, lld's too): a
	// second name keeps the old one and costs nothing.
	if err := os.Link(file, tmp); err != nil {
		if err := copyTo(tmp, file); err != nil {
			return err
		}
	}
	return os.Rename(tmp, to)
}

func copyTo(to, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

// Find returns the kept file that has the code of a file and more symbols, "" where there is none.
func Find(dir, file string) (string, error) {
	kept, err := os.ReadDir(dir)
	if err != nil || len(kept) == 0 {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return "", err
	}
	c, err := read(file)
	if errors.Is(err, errOther) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	found, most := "", c.symbols
	for _, k := range kept {
		if !strings.HasPrefix(k.Name(), c.code+"-") {
			continue
		}
		path := filepath.Join(dir, k.Name())
		// It is read again: something may have written into it, under its other name.
		if o, err := read(path); err == nil && o.is(c) && o.symbols > most {
			found, most = path, o.symbols
		}
	}
	return found, nil
}

// Prune deletes what is kept but for the files in use.
func Prune(dir string, used []string) error {
	kept, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, k := range kept {
		if path := filepath.Join(dir, k.Name()); !slices.Contains(used, path) {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}

// expand returns a command line with the content of its response files (LLVM's command guides: @FILE; words as GNU's
// tools part them) in their places. A file that is not there stays as it is: it is the tool's to say so.
func expand(args []string, depth int) []string {
	var out []string
	for _, a := range args {
		file, ok := strings.CutPrefix(a, "@")
		if ok && depth < 20 {
			if data, err := os.ReadFile(file); err == nil {
				out = append(out, expand(words(data), depth+1)...)
				continue
			}
		}
		out = append(out, a)
	}
	return out
}

// words parts the text of a response file: blanks part, quotes and backslashes hold together.
func words(data []byte) []string {
	var out []string
	var word []byte
	inside, quote := false, byte(0)
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(data):
			i++
			word, inside = append(word, data[i]), true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inside = c, true
		case quote == 0 && bytes.IndexByte([]byte(" \t\r\n"), c) >= 0:
			if inside {
				out, word, inside = append(out, string(word)), nil, false
			}
		default:
			word, inside = append(word, c), true
		}
	}
	if inside {
		out = append(out, string(word))
	}
	return out
}
