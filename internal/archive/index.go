package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// ErrNoPackage is what a package that an index does not hold fails with.
var ErrNoPackage = errors.New("no such package")

// maxStanza bounds one paragraph of an index; the longest of Debian's (a Source
// with hundreds of binaries) has about 100 kB.
const maxStanza = 4 << 20

// An index is a fifth to a tenth of its size when it is compressed, and Debian's largest has 60 MB.
const (
	indexRatio = 100
	maxIndex   = 64 << 20 // bytes of one that is compressed
)

// A Package is a binary package as its stanza in Packages tells of it.
type Package struct {
	Name, Version, Architecture string
	Source                      string // name of the source package; Name where the stanza has none
	Filename                    string // path below the archive's root, pool/…
	MultiArch, Priority         string
	Essential                   bool
	Size                        int64
	SHA256                      string
	PreDepends, Depends         [][]Dependency
	Provides                    []Dependency // Op is "" or "="
}

// Hash is what the .deb has to be.
func (p Package) Hash() FileHash { return FileHash{SHA256: p.SHA256, Size: p.Size} }

// A SourcePackage is a source package as its stanza in Sources tells of it.
type SourcePackage struct {
	Name, Version string
	Directory     string // below the archive's root
	Files         []SourceFile
}

// A SourceFile is one file of a source package: .dsc, .orig.tar.*, .debian.tar.*.
type SourceFile struct {
	Name string
	FileHash
}

// An Index is the packages of one suite and architecture. It keeps the fields
// that are used, as text, and reads them when a package is asked for: of 69,000
// stanzas some hundred are ever looked at. The text is kept compressed: a
// project for eleven platforms looks into twenty indexes.
type Index struct {
	places []place
	byName map[string]int32 // first stanza of a name; place.next leads on
	blocks [][]byte         // zstd
	filled []byte           // the block that is not full yet
	packed []byte           // the last one, to be used again

	mu    sync.Mutex
	block int32 // which one text is, where that is not nil
	text  []byte

	provided  sync.Once
	providers map[string][]int32 // virtual name -> stanzas
}

// A place is where a stanza lies.
type place struct {
	block, at, size int32
	next            int32 // stanza of the same name; -1 ends
}

type stanza struct {
	text string // wanted fields only, one a line
}

// blockSize is what of the text is compressed, and read, at once.
const blockSize = 64 << 10

var (
	blockWriter = sync.OnceValue(func() *zstd.Encoder {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(blockSize), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
		if err != nil {
			panic(err) // of the options
		}
		return z
	})
	blockReader = sync.OnceValue(func() *zstd.Decoder {
		z, err := zstd.NewReader(nil, zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(0))
		if err != nil {
			panic(err)
		}
		return z
	})
)

// Sources is the source packages of one suite.
type Sources struct{ index *Index }

// packageFields and sourceFields are what is kept of a stanza, by first letter
// for speed.
var packageFields = fieldSet("Package", "Version", "Architecture", "Source", "Filename", "Multi-Arch", "Priority",
	"Essential", "Size", "SHA256", "Pre-Depends", "Depends", "Provides")

var sourceFields = fieldSet("Package", "Version", "Directory", "Checksums-Sha256")

type fields [256][]string

func fieldSet(names ...string) *fields {
	var f fields
	for _, n := range names {
		f[n[0]] = append(f[n[0]], n+":")
	}
	return &f
}

func (f *fields) wants(line []byte) bool {
	for _, n := range f[line[0]] {
		if len(line) >= len(n) && string(line[:len(n)]) == n {
			return true
		}
	}
	return false
}

// ParsePackages reads a decompressed Packages index. Several suites become one
// index when they follow each other (io.MultiReader).
func ParsePackages(r io.Reader) (*Index, error) {
	return parseIndex(r, packageFields)
}

// ParseSources reads a decompressed Sources index.
func ParseSources(r io.Reader) (*Sources, error) {
	ix, err := parseIndex(r, sourceFields)
	if err != nil {
		return nil, err
	}
	return &Sources{ix}, nil
}

// ReadPackages is ParsePackages of a file in any compression. It stops when ctx ends.
func ReadPackages(ctx context.Context, file string) (*Index, error) {
	return readIndex(ctx, file, ParsePackages)
}

// ReadSources is ParseSources of a file in any compression. It stops when ctx ends.
func ReadSources(ctx context.Context, file string) (*Sources, error) {
	return readIndex(ctx, file, ParseSources)
}

func readIndex[T any](ctx context.Context, file string, parse func(io.Reader) (T, error)) (ix T, err error) {
	f, err := os.Open(file)
	if err != nil {
		return ix, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return ix, err
	}
	r, err := NewReader(f, st.Size())
	if err != nil {
		return ix, fmt.Errorf("%s: %w", file, err)
	}
	defer r.Close()
	limit := maxUnpacked + min(st.Size(), maxIndex)*indexRatio
	if ix, err = parse(&bounded{ctx: ctx, from: r, left: limit, limit: limit}); err != nil {
		return ix, fmt.Errorf("%s: %w", file, err)
	}
	return ix, nil
}

func parseIndex(r io.Reader, keep *fields) (*Index, error) {
	ix := &Index{byName: map[string]int32{}}
	buf := make([]byte, 0, 1<<20)
	var kept []byte
	for eof := false; !eof; {
		if len(buf) == cap(buf) {
			if cap(buf) > maxStanza {
				return nil, fmt.Errorf("index: a stanza is longer than %d bytes", maxStanza)
			}
			buf = slices.Grow(buf, cap(buf))
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			eof = true
		} else if err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
		// Only whole stanzas are taken; the rest waits for the next read.
		whole := len(buf)
		if !eof {
			if whole = bytes.LastIndex(buf, []byte("\n\n")) + 2; whole < 2 {
				continue
			}
		}
		kept = kept[:0]
		rest := buf[:whole]
		wanted := false
		for len(rest) > 0 {
			end := bytes.IndexByte(rest, '\n') + 1
			if end == 0 {
				end = len(rest)
			}
			line := rest[:end]
			rest = rest[end:]
			switch line[0] {
			case '\n', '\r':
				if err := ix.add(kept); err != nil {
					return nil, err
				}
				kept, wanted = kept[:0], false
				continue
			case ' ', '\t':
			default:
				wanted = keep.wants(line)
			}
			if wanted {
				kept = append(kept, line...)
			}
		}
		if err := ix.add(kept); err != nil {
			return nil, err
		}
		buf = buf[:copy(buf, buf[whole:])]
	}
	ix.seal()
	ix.filled, ix.packed, ix.places = nil, nil, slices.Clip(ix.places)
	return ix, nil
}

// seal compresses the block that was being filled.
func (ix *Index) seal() {
	ix.packed = blockWriter().EncodeAll(ix.filled, ix.packed[:0])
	ix.blocks = append(ix.blocks, bytes.Clone(ix.packed)) // what EncodeAll makes has room for all that it might have been
	ix.filled = ix.filled[:0]
}

// stanza reads a stanza.
func (ix *Index) stanza(i int) stanza {
	at := ix.places[i]
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.text == nil || ix.block != at.block {
		text, err := blockReader().DecodeAll(ix.blocks[at.block], ix.text[:0])
		if err != nil {
			panic(err) // this process has written it
		}
		ix.block, ix.text = at.block, text
	}
	return stanza{string(ix.text[at.at : at.at+at.size])}
}

// Each hands over the stanzas in their order, with an empty line behind each, as ParsePackages reads them in any order:
// the fields that are used, of Debian's a third of the text.
func (ix *Index) Each(do func(name, arch, stanza string) error) error {
	for i := range ix.places {
		s := ix.stanza(i)
		if err := do(s.field("Package"), s.field("Architecture"), strings.TrimRight(s.text, "\n")+"\n\n"); err != nil {
			return err
		}
	}
	return nil
}

func (ix *Index) add(kept []byte) error {
	if len(kept) == 0 {
		return nil
	}
	name := stanza{string(kept)}.field("Package")
	if !validName(name) {
		return fmt.Errorf("index: stanza %d has the package name %q", len(ix.places)+1, name)
	}
	if len(ix.filled) > 0 && len(ix.filled)+len(kept) > blockSize {
		ix.seal()
	}
	p := place{block: int32(len(ix.blocks)), at: int32(len(ix.filled)), size: int32(len(kept)), next: -1}
	ix.filled = append(ix.filled, kept...)
	at := int32(len(ix.places))
	if first, ok := ix.byName[name]; ok {
		p.next = ix.places[first].next
		ix.places = append(ix.places, p)
		ix.places[first].next = at
		return nil
	}
	ix.places = append(ix.places, p)
	ix.byName[strings.Clone(name)] = at // the name alone, not all of the stanza
	return nil
}

// field returns a field's value, continuation lines included.
func (s stanza) field(name string) string {
	rest := s.text
	for rest != "" {
		end := strings.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		for end < len(rest) && (rest[end] == ' ' || rest[end] == '\t') {
			next := strings.IndexByte(rest[end:], '\n') + 1
			if next == 0 {
				next = len(rest) - end
			}
			end += next
		}
		if len(rest) > len(name) && rest[len(name)] == ':' && rest[:len(name)] == name {
			return strings.TrimSpace(rest[len(name)+1 : end])
		}
		rest = rest[end:]
	}
	return ""
}

// Len is the number of stanzas.
func (ix *Index) Len() int { return len(ix.places) }

// Names returns the names of all packages, sorted.
func (ix *Index) Names() []string {
	names := make([]string, 0, len(ix.byName))
	for n := range ix.byName {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Lookup returns the versions of a package that the index holds, newest first.
// errors.Is(err, ErrNoPackage) where there is none; the error then says what
// was perhaps meant.
func (ix *Index) Lookup(name string) ([]Package, error) {
	found, err := ix.versions(name)
	if err == nil && len(found) == 0 {
		err = ix.missing(name, "")
	}
	return found, err
}

func (ix *Index) versions(name string) ([]Package, error) {
	at, ok := ix.byName[name]
	if !ok {
		return nil, nil
	}
	var found []Package
	for ; at >= 0; at = ix.places[at].next {
		p, err := ix.stanza(int(at)).parse()
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	slices.SortStableFunc(found, func(a, b Package) int { return CompareVersions(b.Version, a.Version) })
	return found, nil
}

func (s stanza) parse() (Package, error) {
	p := Package{
		Name:         s.field("Package"),
		Version:      s.field("Version"),
		Architecture: s.field("Architecture"),
		Filename:     s.field("Filename"),
		MultiArch:    s.field("Multi-Arch"),
		Priority:     s.field("Priority"),
		Essential:    s.field("Essential") == "yes",
		SHA256:       s.field("SHA256"),
	}
	bad := func(err error) (Package, error) {
		return Package{}, fmt.Errorf("package %s %s in the index: %w", p.Name, p.Version, err)
	}
	p.Source, _, _ = strings.Cut(s.field("Source"), " ")
	if p.Source == "" {
		p.Source = p.Name
	}
	var err error
	if p.Size, err = strconv.ParseInt(s.field("Size"), 10, 64); err != nil || p.Size < 0 {
		return bad(fmt.Errorf("its size %q is not a number", s.field("Size")))
	}
	if !validSHA256(p.SHA256) {
		return bad(fmt.Errorf("its SHA256 %q is malformed", p.SHA256))
	}
	if !localPath(p.Filename) {
		return bad(fmt.Errorf("its file name %q climbs out of the archive", p.Filename))
	}
	if p.Depends, err = ParseDependencies(s.field("Depends")); err != nil {
		return bad(err)
	}
	if p.PreDepends, err = ParseDependencies(s.field("Pre-Depends")); err != nil {
		return bad(err)
	}
	if p.Provides, err = parseProvides(s.field("Provides")); err != nil {
		return bad(err)
	}
	return p, nil
}

func parseProvides(field string) ([]Dependency, error) {
	groups, err := ParseDependencies(field)
	if err != nil {
		return nil, err
	}
	var provides []Dependency
	for _, g := range groups {
		if len(g) != 1 || g[0].Op != "" && g[0].Op != "=" {
			return nil, fmt.Errorf("provides %q is malformed", g)
		}
		provides = append(provides, g[0])
	}
	return provides, nil
}

// providersOf returns the packages that provide a name beside the one that has it.
func (ix *Index) providersOf(name string) ([]Package, error) {
	ix.provided.Do(func() {
		ix.providers = map[string][]int32{}
		for i := range ix.places {
			if field := ix.stanza(i).field("Provides"); field != "" {
				for one := range strings.SplitSeq(field, ",") {
					one = strings.TrimSpace(one)
					if end := strings.IndexAny(one, " (:"); end >= 0 {
						one = one[:end]
					}
					ix.providers[strings.Clone(one)] = append(ix.providers[one], int32(i)) // not all of the stanza
				}
			}
		}
	})
	var found []Package
	for _, at := range ix.providers[name] {
		p, err := ix.stanza(int(at)).parse()
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	return found, nil
}

// Lookup returns the versions of a source package, newest first.
func (s *Sources) Lookup(name string) ([]SourcePackage, error) {
	var found []SourcePackage
	at, ok := s.index.byName[name]
	if !ok {
		return nil, s.index.missing(name, "")
	}
	for ; at >= 0; at = s.index.places[at].next {
		p, err := s.index.stanza(int(at)).parseSource()
		if err != nil {
			return nil, err
		}
		found = append(found, p)
	}
	slices.SortStableFunc(found, func(a, b SourcePackage) int { return CompareVersions(b.Version, a.Version) })
	return found, nil
}

func (s stanza) parseSource() (SourcePackage, error) {
	p := SourcePackage{Name: s.field("Package"), Version: s.field("Version"), Directory: s.field("Directory")}
	if !localPath(p.Directory) {
		return p, fmt.Errorf("source package %s in the index: its directory %q climbs out of the archive", p.Name, p.Directory)
	}
	for line := range strings.Lines(s.field("Checksums-Sha256")) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		var size int64
		err := errors.New("wants three words")
		if len(f) == 3 {
			size, err = strconv.ParseInt(f[1], 10, 64)
		}
		if err != nil || size < 0 || !validSHA256(f[0]) || strings.Contains(f[2], "/") || !localPath(f[2]) {
			return p, fmt.Errorf("source package %s in the index: checksum line %q is malformed", p.Name, strings.TrimSpace(line))
		}
		p.Files = append(p.Files, SourceFile{f[2], FileHash{f[0], size}})
	}
	return p, nil
}

// localPath tells a path below some root from one that leaves it.
func localPath(p string) bool {
	if p == "" || p[0] == '/' {
		return false
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return false
		}
	}
	return true
}
