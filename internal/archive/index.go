package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math/bits"
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
// stanzas some hundred are ever looked at. The text lies compressed in a file
// without a name, and in memory is where each stanza begins: a project for eleven
// platforms looks into twenty indexes.
type Index struct {
	file   *os.File
	blocks []int64 // where each ends in the file; zstd
	places []place
	first  []int32 // of the places whose names have a hash, by its last bits; place.next leads on

	mu     sync.Mutex
	packed []byte // a block as it lies in the file, to be used again
	block  int32  // which one text is, where that is not nil
	text   []byte

	provided  sync.Once
	providers []provider // by hash, then in the index's order
	fault     error      // why they cannot be read
}

// A place is where a stanza lies.
type place struct {
	block, at, size int32
	next            int32  // -1 ends
	hash            uint32 // of the package's name
}

// A provider is a stanza that provides a name.
type provider struct {
	hash uint32 // of the name
	at   int32
}

// seed makes hashes that nobody can foresee, so that no index is made to be slow.
var seed = maphash.MakeSeed()

func hashOf(name string) uint32 { return uint32(maphash.String(seed, name)) }

type stanza struct {
	text string // wanted fields only, one a line
}

// blockSize is what of the text is compressed, and read, at once.
const blockSize = 64 << 10

var (
	blockWriter = sync.OnceValue(func() *zstd.Encoder {
		z, err := zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithWindowSize(blockSize),
			zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderCRC(false))
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
	file, err := os.CreateTemp("", "xbuild-index-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	w := &indexWriter{Index: &Index{file: file}}
	if err := w.parse(r, keep); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return w.Index, nil
}

// An indexWriter is an index that is being read.
type indexWriter struct {
	*Index
	filled []byte // the block that is not full yet
}

func (ix *indexWriter) parse(r io.Reader, keep *fields) error {
	buf := make([]byte, 0, 1<<20)
	var kept []byte
	for eof := false; !eof; {
		if len(buf) == cap(buf) {
			if cap(buf) > maxStanza {
				return fmt.Errorf("index: a stanza is longer than %d bytes", maxStanza)
			}
			buf = slices.Grow(buf, cap(buf))
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			eof = true
		} else if err != nil {
			return fmt.Errorf("index: %w", err)
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
					return err
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
			return err
		}
		buf = buf[:copy(buf, buf[whole:])]
	}
	ix.places = slices.Clip(ix.places)
	ix.first = make([]int32, 1<<bits.Len(uint(len(ix.places))))
	for i := range ix.first {
		ix.first[i] = -1
	}
	for i := len(ix.places) - 1; i >= 0; i-- { // the first of a name comes first
		p := &ix.places[i]
		first := &ix.first[int(p.hash)&(len(ix.first)-1)]
		p.next, *first = *first, int32(i)
	}
	return ix.seal()
}

// end is where the blocks end in the file.
func (ix *Index) end() int64 {
	if len(ix.blocks) == 0 {
		return 0
	}
	return ix.blocks[len(ix.blocks)-1]
}

// seal compresses the block that was being filled.
func (ix *indexWriter) seal() error {
	ix.packed = blockWriter().EncodeAll(ix.filled, ix.packed[:0])
	ix.filled = ix.filled[:0]
	at := ix.end()
	ix.blocks = append(ix.blocks, at+int64(len(ix.packed)))
	_, err := ix.file.WriteAt(ix.packed, at)
	return err
}

// stanza reads a stanza.
func (ix *Index) stanza(i int) (stanza, error) {
	at := ix.places[i]
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.text == nil || ix.block != at.block {
		if err := ix.unpack(at.block); err != nil {
			ix.text = nil
			return stanza{}, fmt.Errorf("index: %w", err)
		}
	}
	return stanza{string(ix.text[at.at : at.at+at.size])}, nil
}

func (ix *Index) unpack(block int32) error {
	begin := int64(0)
	if block > 0 {
		begin = ix.blocks[block-1]
	}
	size := int(ix.blocks[block] - begin)
	ix.packed = slices.Grow(ix.packed[:0], size)[:size]
	if err := readAt(ix.file, ix.packed, begin); err != nil {
		return err
	}
	text, err := blockReader().DecodeAll(ix.packed, ix.text[:0])
	ix.block, ix.text = block, text
	return err
}

// Each hands over the stanzas in their order, with an empty line behind each, as ParsePackages reads them in any order:
// the fields that are used, of Debian's a third of the text.
func (ix *Index) Each(do func(name, arch, stanza string) error) error {
	for i := range ix.places {
		s, err := ix.stanza(i)
		if err != nil {
			return err
		}
		if err := do(s.field("Package"), s.field("Architecture"), strings.TrimRight(s.text, "\n")+"\n\n"); err != nil {
			return err
		}
	}
	return nil
}

func (ix *indexWriter) add(kept []byte) error {
	if len(kept) == 0 {
		return nil
	}
	name := stanza{string(kept)}.field("Package")
	if !validName(name) {
		return fmt.Errorf("index: stanza %d has the package name %q", len(ix.places)+1, name)
	}
	if len(ix.filled) > 0 && len(ix.filled)+len(kept) > blockSize {
		if err := ix.seal(); err != nil {
			return err
		}
	}
	ix.places = append(ix.places, place{
		block: int32(len(ix.blocks)),
		at:    int32(len(ix.filled)),
		size:  int32(len(kept)),
		hash:  hashOf(name),
	})
	ix.filled = append(ix.filled, kept...)
	return nil
}

// named calls for each stanza of a package, in the index's order.
func (ix *Index) named(name string, do func(stanza) error) error {
	hash := hashOf(name)
	for at := ix.first[int(hash)&(len(ix.first)-1)]; at >= 0; at = ix.places[at].next {
		if ix.places[at].hash != hash {
			continue
		}
		s, err := ix.stanza(int(at))
		if err != nil {
			return err
		}
		if s.field("Package") != name {
			continue
		}
		if err := do(s); err != nil {
			return err
		}
	}
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
func (ix *Index) Names() ([]string, error) {
	names := make([]string, 0, len(ix.places))
	for i := range ix.places {
		s, err := ix.stanza(i)
		if err != nil {
			return nil, err
		}
		names = append(names, strings.Clone(s.field("Package"))) // not all of the stanza
	}
	slices.Sort(names)
	return slices.Compact(names), nil
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
	var found []Package
	err := ix.named(name, func(s stanza) error {
		p, err := s.parse()
		found = append(found, p)
		return err
	})
	if err != nil {
		return nil, err
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
	ix.provided.Do(func() { ix.fault = ix.readProviders() })
	if ix.fault != nil {
		return nil, ix.fault
	}
	hash := hashOf(name)
	i, _ := slices.BinarySearchFunc(ix.providers, hash, func(p provider, hash uint32) int {
		return cmp.Compare(p.hash, hash)
	})
	var found []Package
	for ; i < len(ix.providers) && ix.providers[i].hash == hash; i++ {
		s, err := ix.stanza(int(ix.providers[i].at))
		if err != nil {
			return nil, err
		}
		p, err := s.parse()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(p.Provides, func(d Dependency) bool { return d.Name == name }) {
			found = append(found, p)
		}
	}
	return found, nil
}

func (ix *Index) readProviders() error {
	for i := range ix.places {
		s, err := ix.stanza(i)
		if err != nil {
			return err
		}
		field := s.field("Provides")
		if field == "" {
			continue
		}
		for one := range strings.SplitSeq(field, ",") {
			one = strings.TrimSpace(one)
			if end := strings.IndexAny(one, " (:"); end >= 0 {
				one = one[:end]
			}
			ix.providers = append(ix.providers, provider{hashOf(one), int32(i)})
		}
	}
	slices.SortFunc(ix.providers, func(a, b provider) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.at, b.at))
	})
	ix.providers = slices.Clip(slices.Compact(ix.providers))
	return nil
}

// Lookup returns the versions of a source package, newest first.
func (s *Sources) Lookup(name string) ([]SourcePackage, error) {
	var found []SourcePackage
	err := s.index.named(name, func(s stanza) error {
		p, err := s.parseSource()
		found = append(found, p)
		return err
	})
	if err == nil && len(found) == 0 {
		err = s.index.missing(name, "")
	}
	if err != nil {
		return nil, err
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
