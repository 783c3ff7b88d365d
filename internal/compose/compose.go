// Package compose turns packages of an archive into toolchains and sysroots in the store that run from wherever they
// lie, and into the compiler view of a platform: the directory of <triplet>-clang, cc, ar, … that compile for this
// platform and no other. It needs no root.
//
// Compilers are called without a script before them, but for GCC, and for gcc and g++ where a build asks these for the
// machine's name. Scripts are: as, ld, strip and objcopy; the tools without a triplet in their names that read the
// machine from it; those that say why a tool is missing; uname and its like, which answer for the platform; and one for
// each script of a sysroot, such as xml2-config. It starts no program but clang and llvm-ar, for what a sysroot lacks:
// a function of the C library, the C++ library.
//
// What a tree will contain and where it will lie is known before it exists: the values of this package are pure,
// Composer alone has files fetched and writes trees.
package compose

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sync/errgroup"

	"xbuild/internal/archive"
	"xbuild/internal/catalog"
	"xbuild/internal/fetch"
	"xbuild/internal/lazyregexp"
	"xbuild/internal/lock"
	"xbuild/internal/object"
	"xbuild/internal/origin"
	"xbuild/internal/platform"
	"xbuild/internal/store"
)

// generation is part of every key: it changes when this package composes trees differently, so that old trees are not
// taken for new ones.
const generation = "2"

// sysrootGeneration is the same for the sysroots of a C library alone.
const sysrootGeneration = "alternatives"

// A Toolchain is programs for the host, in a tree of the store.
type Toolchain struct {
	Name, Version string
	Key, Dir      string // the tree's key, and its directory
	ID            string // the same in every store
	Slot          string
	compat        string              // of clang: the release whose names of C++ functions it is to use
	driver        map[string][]string // of clang: flags that this release needs for a platform
	Lenient       []string            // of clang: the groups of errors in C that a lenient view has as warnings
	warned        []string            // of clang: the groups of errors in C++ that are warnings
	unheeded      []string            // of clang: options that its linker is not given
	absent        []catalog.Absent
	def           *catalog.Toolchain
	files         []lock.File
	host          platform.Platform
	roots         []string              // of packages for the host: those whose programs are found
	on            *catalog.HostPackages // the same: how they are composed
}

// NewToolchain says what the tree of a locked toolchain will be in the store at root. def is the definition with its
// slot filled in.
func NewToolchain(root string, def *catalog.Toolchain, locked lock.Toolchain) (Toolchain, error) {
	host, err := platform.Parse(locked.Host)
	if err != nil {
		return Toolchain{}, err
	}
	t := Toolchain{
		Name:     locked.Name,
		Version:  locked.Version,
		def:      def,
		files:    from(locked.Archive, locked.Files),
		host:     host,
		Lenient:  def.Lenient,
		warned:   def.Warned,
		unheeded: def.Unheeded,
		absent:   def.Absent,
	}
	if len(def.Sources) == 1 {
		t.Slot, t.compat, t.driver = def.Sources[0].Slot, def.Sources[0].Compat, def.Sources[0].Driver
		t.Lenient = slices.Concat(t.Lenient, def.Sources[0].Lenient)
		t.warned = slices.Concat(t.warned, def.Sources[0].Warned)
	}
	// The programs name their loader by an absolute path, so that a store at another place is another tree.
	parts := []string{host.Name, fmt.Sprint(def.Keep, def.Drop, def.RPath, def.Programs)}
	parts = append(parts, append(hashes(locked.Files), def.Relocate...)...)
	if len(def.Hide) > 0 {
		parts = append(parts, fmt.Sprint(def.Hide))
	}
	if len(def.Loaded) > 0 {
		parts = append(parts, "loaded "+fmt.Sprint(def.Loaded))
	}
	if len(def.Links) > 0 {
		parts = append(parts, "links "+fmt.Sprint(def.Links)) // fmt sorts maps
	}
	name := "toolchain-" + locked.Name + "-" + locked.Version
	t.Key, t.ID = key(name, append([]string{root}, parts...)), key(name, parts)
	t.Dir = treeDir(root, t.Key)
	return t, nil
}

// Bin is the directory of the toolchain's programs.
func (t Toolchain) Bin() string { return filepath.Join(t.Dir, "programs") }

// Env are the variables by which others find it.
func (t Toolchain) Env() map[string]string {
	out := map[string]string{}
	for name, file := range t.def.Env {
		out[name] = filepath.Join(t.Dir, file)
	}
	return out
}

// Program is the path of one of its programs.
func (t Toolchain) Program(name string) string { return filepath.Join(t.Dir, "programs", name) }

// A Sysroot is headers and libraries of a platform, in a tree of the store.
type Sysroot struct {
	Arch, Suite, Version string
	Key, Dir             string
	Libc                 bool              // it has a loader, which programs of the platform are run with
	Flags, RustFlags     []string          // the compilers' for it; {sysroot} in them stands for Dir
	CXX                  *BuiltCXX         // the C++ library that is built for it
	NoCXX                string            // what a user is told who compiles C++, where there is no library for it
	Tools                map[string]string // binary tools of this platform alone: <triplet>-NAME -> LLVM's program
	Configure            map[string]string // autoconf's cache variables: what a configure script would run programs for
	CargoEnv             map[string]string // variables for cargo and what it starts
	RustObjects          []string          // what rustc puts around each program, beside the standard library
	keep, drop           []string
	links, expose        map[string]string
	stdlib               string // the C++ library of its packages
	libc                 string // names what stands in it whatever packages are added
	supplement           string // C code of what the sysroot's libraries ask for and its C library lacks
	crates               string // of a source that cargo builds, which is completed: vendored or fetched
	strip                int    // how many directories the source lies below in its package
	gcc                  string // the release of GCC whose libraries it has
	id                   string // a name that is the same in every store, where Key is not
	files                []lock.File
	onHost               *Toolchain // packages for the host whose programs are called by their places in it
	multiarch            string     // of the platform, where onHost is set
	more                 bool       // it has libraries that a C library's own packages do not bring
}

// NewSysroot says what the tree of a locked sysroot will be in the store at root.
func NewSysroot(root string, def *catalog.Sysroot, locked lock.Sysroot) Sysroot {
	s := Sysroot{
		Arch:    locked.Arch,
		Suite:   locked.Suite,
		Version: locked.Version,
		Libc:    def.Of == "" && def.Archive == "" && def.Source == "",
		keep:    def.Keep,
		drop:    def.Drop,
		files:   from(locked.Archive, locked.Files),
		crates:  def.Crates,
		stdlib:  def.Stdlib,
	}
	if suite, ok := def.Suite(locked.Suite); ok {
		s.strip = suite.Strip
	}
	name := "sysroot"
	if !s.Libc {
		name = def.Name
	}
	parts := append([]string{fmt.Sprint(def.Drop)}, hashes(locked.Files)...)
	if s.Libc {
		parts = append(parts, sysrootGeneration, fmt.Sprint(def.Expose))
		s.more = len(locked.Roots) > len(def.Packages)
		if s.more { // a C library alone has no files of CMake's
			parts = append(parts, fmt.Sprintf(calledScript, "NAME"))
		}
	}
	if len(def.Keep) > 0 {
		parts = append(parts, fmt.Sprint(def.Keep))
	}
	arch := locked.Arch
	if def.Source != "" {
		arch = origin.SourceArch // one source for all targets
	}
	s.Key = key(name+"-"+arch+"-"+locked.Suite, parts)
	s.Dir = treeDir(root, s.Key)
	if suite, ok := def.Suite(locked.Suite); ok && s.Libc {
		own := slices.DeleteFunc(slices.Clone(locked.Files), func(f lock.File) bool {
			return !slices.Contains(def.Roots(suite), f.Name)
		})
		s.libc = key("libc-"+locked.Arch+"-"+locked.Suite, hashes(own))
	}
	return s
}

// from fills in the archive of the files that have their entry's.
func from(archive string, files []lock.File) []lock.File {
	out := slices.Clone(files)
	for i := range out {
		out[i].Archive = cmp.Or(out[i].Archive, archive)
	}
	return out
}

func treeDir(root, key string) string { return filepath.Join(root, "trees", key) }

// anywhere is a name of the sysroot that is the same in every store.
func (s Sysroot) anywhere() string { return cmp.Or(s.id, s.Key) }

// Names are the trees that have another name in every store, by directory: the names by which they are the same.
func (s Set) Names() map[string]string {
	out := map[string]string{}
	for _, t := range s.Toolchains {
		out[t.Dir] = t.ID
	}
	for _, v := range s.Views {
		out[v.Dir] = v.ID
		if v.Sysroot.CXX != nil {
			out[filepath.Join(filepath.Dir(v.Dir), v.cxxKey())] = v.anywhere().cxxKey()
		}
	}
	for _, v := range s.RustViews {
		out[v.Dir] = v.ID
	}
	for _, r := range s.Sysroots {
		if r.onHost != nil {
			out[r.Dir] = r.id
		}
	}
	for _, b := range s.Stds {
		out[b.Dir], out[b.Builder.Dir] = b.ID, b.Builder.ID
	}
	return out
}

func hashes(files []lock.File) []string {
	out := make([]string, len(files))
	for i, f := range files {
		out[i] = f.SHA256
	}
	return out
}

// key is a name that people can read, with the hash of everything that decides the content.
func key(name string, parts []string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", generation, name)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s\n", len(p), p)
	}
	return name + "-" + hex.EncodeToString(h.Sum(nil))[:16]
}

// For fills in what a sysroot's definition says by a platform's names.
func (s Sysroot) For(root string, def *catalog.Sysroot, suite catalog.Suite, p platform.Platform) Sysroot {
	fill := strings.NewReplacer("{triplet}", p.Triplet, "{gnu}", p.GCC, "{multiarch}", p.Multiarch, "{gcc}", suite.GCC)
	s.Flags, s.RustFlags, s.NoCXX = nil, def.RustFlags, def.NoCXX
	s.links, s.expose = map[string]string{}, map[string]string{}
	s.Tools, s.RustObjects, s.CargoEnv = def.Tools, def.RustObjects, def.CargoEnv
	s.Configure, s.supplement, s.gcc = def.Configure, suite.SupplementText, suite.GCC
	for _, f := range slices.Concat(def.Flags, suite.Flags, suite.ArchFlags[s.Arch]) {
		s.Flags = append(s.Flags, fill.Replace(f))
	}
	for path, to := range def.Links {
		s.links[fill.Replace(path)] = fill.Replace(to)
	}
	for dir, glob := range def.Expose {
		s.expose[fill.Replace(dir)] = fill.Replace(glob)
	}
	if len(s.links) > 0 {
		s.Key = key(def.Name+"-"+s.Arch+"-"+s.Suite, []string{s.Key, fmt.Sprint(s.links)})
		s.Dir = treeDir(root, s.Key)
		s.libc = key("libc-"+s.Arch+"-"+s.Suite, []string{s.libc, fmt.Sprint(s.links)})
	}
	return s
}

// In returns the sysroot's compiler flags with its directory as dir.
func (s Sysroot) In(dir string) []string {
	out := make([]string, len(s.Flags))
	for i, f := range s.Flags {
		out[i] = strings.ReplaceAll(f, "{sysroot}", dir)
	}
	return out
}

// A Composer puts trees into a store.
type Composer struct {
	Store *store.Store
	// URLs returns where a file of the lock that the store does not have can be fetched, the best first.
	URLs  func(context.Context, lock.File) ([]string, error)
	Fetch fetch.Options
	Note  func(string) // takes what there is to say of a step that takes long
}

// A Set is all that has to be in the store for something; nothing stands in it twice.
type Set struct {
	Toolchains []Toolchain
	Sysroots   []Sysroot
	Views      []View
	RustViews  []RustView
	Stds       []BuiltStd // made by what they stand on: execute.Stds builds them once that is there
}

// Toolchain adds a toolchain.
func (s *Set) Toolchain(t Toolchain) {
	if !slices.ContainsFunc(s.Toolchains, func(x Toolchain) bool { return x.Key == t.Key }) {
		s.Toolchains = append(s.Toolchains, t)
	}
}

// Sysroot adds a sysroot.
func (s *Set) Sysroot(r Sysroot) {
	if !slices.ContainsFunc(s.Sysroots, func(x Sysroot) bool { return x.Key == r.Key }) {
		s.Sysroots = append(s.Sysroots, r)
	}
	if r.onHost != nil {
		s.Toolchain(*r.onHost)
	}
}

// View adds a compiler view and what it stands on.
func (s *Set) View(v View) {
	s.Toolchain(v.Compiler)
	s.Toolchain(v.Pkgconf)
	s.Sysroot(v.Sysroot)
	if v.narrow != nil {
		s.Sysroot(v.narrow.Sysroot)
	}
	if v.Sysroot.CXX != nil {
		s.Sysroot(v.Sysroot.CXX.Source)
	}
	if !slices.ContainsFunc(s.Views, func(x View) bool { return x.Key == v.Key }) {
		s.Views = append(s.Views, v)
	}
}

// RustView adds a Rust view and what it stands on.
func (s *Set) RustView(v RustView) {
	s.Toolchain(v.Rust)
	switch {
	case v.Built != nil:
		s.Sysroot(v.Built.Builder.Source)
		s.RustView(v.Built.Builder)
		s.View(v.Built.Host)
		if !slices.ContainsFunc(s.Stds, func(x BuiltStd) bool { return x.Key == v.Built.Key }) {
			s.Stds = append(s.Stds, *v.Built)
		}
	case v.Std.Key != "":
		s.Sysroot(v.Std)
	}
	if !slices.ContainsFunc(s.RustViews, func(x RustView) bool { return x.Key == v.Key }) {
		s.RustViews = append(s.RustViews, v)
	}
}

// Add adds all that another set holds.
func (s *Set) Add(more Set) {
	for _, t := range more.Toolchains {
		s.Toolchain(t)
	}
	for _, r := range more.Sysroots {
		s.Sysroot(r)
	}
	for _, v := range more.Views {
		s.View(v)
	}
	for _, v := range more.RustViews {
		s.RustView(v)
	}
}

// Without returns the toolchains and sysroots that another set does not hold, and no views.
func (s Set) Without(other Set) Set {
	var out Set
	for _, t := range s.Toolchains {
		if !slices.ContainsFunc(other.Toolchains, func(x Toolchain) bool { return x.Key == t.Key }) {
			out.Toolchain(t)
		}
	}
	for _, r := range s.Sysroots {
		if !slices.ContainsFunc(other.Sysroots, func(x Sysroot) bool { return x.Key == r.Key }) {
			out.Sysroot(r)
		}
	}
	return out
}

// missing are the toolchains and sysroots of a set that the store does not have.
func (c *Composer) missing(set Set) Set {
	var out Set
	for _, t := range set.Toolchains {
		if _, ok := c.Store.HasTree(t.Key); !ok {
			out.Toolchain(t)
		}
	}
	for _, s := range set.Sysroots {
		if _, ok := c.Store.HasTree(s.Key); !ok {
			out.Sysroot(s)
		}
	}
	return out
}

// All fetches and composes what is not in the store yet: every download first and side by side, then the trees.
func (c *Composer) All(ctx context.Context, set Set) error {
	missing := c.missing(set)
	p, err := c.packages(ctx, missing)
	if err != nil {
		return err
	}
	defer p.release()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(2, runtime.NumCPU()))
	stands := map[string]chan struct{}{} // of each toolchain, closed when it does
	for _, t := range missing.Toolchains {
		done := make(chan struct{})
		stands[t.Key] = done
		g.Go(func() error {
			defer close(done)
			return c.toolchain(gctx, t, p)
		})
	}
	// A sysroot may wait for a toolchain: all of these go on already.
	for _, s := range missing.Sysroots {
		g.Go(func() error {
			if s.onHost != nil && stands[s.onHost.Key] != nil {
				<-stands[s.onHost.Key]
			}
			if err := gctx.Err(); err != nil {
				return err
			}
			return c.sysroot(gctx, s, p)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if len(missing.Toolchains)+len(missing.Sysroots) > 0 {
		p.drop(set)
	}
	for _, v := range set.Views {
		if err := c.view(ctx, v); err != nil {
			return err
		}
	}
	for _, v := range set.RustViews {
		if err := c.rustView(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// DownloadAll fetches the packages of toolchains and sysroots without composing them, but for those that stand.
func (c *Composer) DownloadAll(ctx context.Context, set Set) error {
	p, err := c.packages(ctx, c.missing(set))
	if err != nil {
		return err
	}
	p.release()
	return nil
}

func (c *Composer) toolchain(ctx context.Context, t Toolchain, p *packages) error {
	_, err := c.Store.Tree(ctx, t.Key, func(tmp, final string) error {
		opt := archive.UnpackOptions{
			Keep:     t.def.Keep,
			Drop:     append(slices.Clone(t.def.Drop), "usr/share/doc/**", "usr/lib/*/gconv/**"),
			UsrMerge: true,
		}
		found, err := t.unpack(ctx, p, tmp, opt)
		if err != nil {
			return err
		}
		// Before interpreters become the tree's own, whose paths have /usr/bin in them too.
		if err := rewrite(tmp, final, t.def.Relocate); err != nil {
			return err
		}
		if err := relocateTree(ctx, tmp, final, t.host.Multiarch, t.def.RPath, t.def.Loaded); err != nil {
			return err
		}
		if err := hide(tmp, t.def.Hide); err != nil {
			return err
		}
		for path, glob := range t.def.Links {
			found, err := doublestar.Glob(os.DirFS(tmp), glob)
			if err == nil && len(found) == 0 {
				err = fmt.Errorf("its packages hold no %s", glob)
			}
			if err != nil {
				return fmt.Errorf("toolchain %s %s: %w", t.Name, t.Version, err)
			}
			slices.Sort(found)
			link := archive.Link{Path: path, Target: found[0]}
			if err := archive.LinkAlternatives(tmp, []archive.Alternative{{Links: []archive.Link{link}}}); err != nil {
				return fmt.Errorf("toolchain %s %s: %w", t.Name, t.Version, err)
			}
		}
		if err := os.Mkdir(filepath.Join(tmp, "programs"), 0o755); err != nil {
			return err
		}
		for name, file := range t.def.Programs {
			if _, err := os.Stat(filepath.Join(tmp, file)); err != nil {
				return fmt.Errorf("toolchain %s %s: its packages hold no %s", t.Name, t.Version, file)
			}
			if err := os.Symlink(filepath.Join("..", file), filepath.Join(tmp, "programs", name)); err != nil {
				return err
			}
		}
		return t.writeFound(tmp, final, found)
	})
	return err
}

// unpacking says what of its packages a sysroot has, and where.
func (s Sysroot) unpacking() archive.UnpackOptions {
	opt := archive.UnpackOptions{Keep: s.keep, Drop: s.drop, UsrMerge: true, Strip: s.strip}
	if s.crates == catalog.Fetched {
		opt.Strip = strings.Count(rustlib+"/src/rust", "/") // lib/rustlib/src/rust/library/…
	}
	return opt
}

func (c *Composer) sysroot(ctx context.Context, s Sysroot, p *packages) error {
	m, done, err := p.merge(ctx)
	if err != nil {
		return err
	}
	defer done()
	_, err = c.Store.TreeOf(ctx, s.Key, &m.sums, func(tmp, _ string) error {
		var alternatives []archive.Alternative
		var err error
		if opt := s.unpacking(); s.Libc {
			alternatives, err = m.into(ctx, tmp, s.files, opt)
		} else {
			err = p.unpack(ctx, tmp, s.files, opt)
		}
		if err != nil {
			return fmt.Errorf("sysroot %s of %s: %w", s.Arch, s.Suite, err)
		}
		switch s.crates {
		case catalog.Fetched:
			return writeFiles(tmp, stdCrate)
		case catalog.Vendored:
			return completeSource(tmp)
		}
		for path, to := range s.links {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(tmp, path)), 0o755); err != nil {
				return err
			}
			if err := os.Symlink(to, filepath.Join(tmp, path)); err != nil {
				return fmt.Errorf("sysroot %s of %s: %w", s.Arch, s.Suite, err)
			}
			if _, err := os.Stat(filepath.Join(tmp, path)); err != nil {
				return fmt.Errorf("sysroot %s of %s: its packages hold no %s: %w", s.Arch, s.Suite, to, err)
			}
		}
		if !s.Libc {
			return nil
		}
		if err := archive.LinkAlternatives(tmp, alternatives); err != nil {
			return fmt.Errorf("sysroot %s of %s: %w", s.Arch, s.Suite, err)
		}
		if err := expose(tmp, s.expose); err != nil {
			return fmt.Errorf("sysroot %s of %s: %w", s.Arch, s.Suite, err)
		}
		if err := s.callHost(tmp); err != nil {
			return fmt.Errorf("sysroot %s of %s: %w", s.Arch, s.Suite, err)
		}
		if err := calledPrograms(tmp); err != nil {
			return fmt.Errorf("sysroot %s of %s: %w", s.Arch, s.Suite, err)
		}
		// QEMU looks a file up in the sysroot and then on the host. An empty cache here keeps the guest's loader from
		// reading the host's, which lists the host's libraries of the same machine (ld.so(8)).
		if err := os.MkdirAll(filepath.Join(tmp, "etc"), 0o755); err != nil {
			return err
		}
		cache := filepath.Join(tmp, "etc/ld.so.cache")
		if err := os.Remove(cache); err != nil && !errors.Is(err, fs.ErrNotExist) { // or it would be written through a link
			return err
		}
		return os.WriteFile(cache, nil, 0o644)
	})
	return err
}

// expose makes links to files of the tree in directories where compilers look for them. Of several by one name the last
// stays, which is the newest version's.
func expose(tree string, links map[string]string) error {
	var all []archive.Alternative
	for dir, glob := range links {
		files, err := doublestar.Glob(os.DirFS(tree), glob)
		if err != nil {
			return fmt.Errorf("expose %q: %w", glob, err)
		}
		slices.Sort(files)
		for i, f := range files {
			link := archive.Link{Path: filepath.Join(dir, filepath.Base(f)), Target: f}
			all = append(all, archive.Alternative{Priority: i, Links: []archive.Link{link}})
		}
	}
	return archive.LinkAlternatives(tree, all)
}

// absolute is a path below a directory of /usr, as programs that were configured for that prefix have it in their text.
var absolute = lazyregexp.New(`/usr/(?:bin|lib|share)/[A-Za-z0-9._+/-]*[A-Za-z0-9]`)

// rewrite makes the paths in text files of a tree, which lies at tmp and will lie at final, the tree's own, where it
// has them.
func rewrite(tmp, final string, globs []string) error {
	for _, glob := range globs {
		files, err := doublestar.Glob(os.DirFS(tmp), glob, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
		if err != nil {
			return fmt.Errorf("relocate %q: %w", glob, err)
		}
		for _, name := range files {
			path := filepath.Join(tmp, name)
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			if !info.Mode().IsRegular() {
				continue // a link
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if bytes.IndexByte(data, 0) >= 0 {
				continue // no text
			}
			data = absolute.ReplaceAllFunc(data, func(p []byte) []byte {
				if _, err := os.Stat(filepath.Join(tmp, string(p))); err != nil {
					return p
				}
				return []byte(filepath.Join(final, string(p)))
			})
			if err := os.WriteFile(path, data, info.Mode()); err != nil {
				return err
			}
		}
	}
	return nil
}

// hide makes directories of the host that texts of a tree name ones that are nowhere. One that no text names is an
// error: another release has it elsewhere.
func hide(tmp string, list []catalog.Hide) error {
	for _, h := range list {
		files, err := doublestar.Glob(os.DirFS(tmp), h.Files, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
		if err != nil {
			return fmt.Errorf("hide %q: %w", h.Files, err)
		}
		found := false
		for _, name := range files {
			path := filepath.Join(tmp, name)
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if !bytes.Contains(data, []byte(h.Path)) {
				continue
			}
			found = true
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			hidden := bytes.ReplaceAll(data, []byte(h.Path), []byte("/hidden-by-xbuild"+h.Path))
			if err := os.WriteFile(path, hidden, info.Mode()); err != nil {
				return err
			}
		}
		if !found {
			return fmt.Errorf("hide %s: no file %s names it", h.Path, h.Files)
		}
	}
	return nil
}

// reinterpret points a script at the interpreter that its own tree has, if it has one: #!/usr/bin/python3 is another
// Python on each host, or none (execve(2)).
func reinterpret(path, tmp, final string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	line, rest, _ := bytes.Cut(data, []byte("\n"))
	interp, args, _ := strings.Cut(strings.TrimSpace(string(line[2:])), " ")
	if _, err := os.Stat(filepath.Join(tmp, interp)); err != nil || !filepath.IsAbs(interp) {
		return nil
	}
	line = []byte(strings.TrimSpace("#!" + filepath.Join(final, interp) + " " + args))
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(append(line, '\n'), rest...), info.Mode())
}

// relocateTree points every program and script below tmp at the loader, the libraries and the interpreter of the tree,
// which will lie at final. Libraries that match a glob of loaded are pointed at the libraries too: for a program of
// another tree, only they themselves can say where those are.
func relocateTree(ctx context.Context, tmp, final, multiarch string, more, loaded []string) error {
	libs := filepath.Join("usr/lib", multiarch)
	rpath := filepath.Join(final, libs)
	for _, dir := range more {
		if rest, ok := strings.CutPrefix(dir, "$ORIGIN"); ok {
			rpath = "$ORIGIN" + strings.ReplaceAll(rest, "{multiarch}", multiarch) + ":" + rpath
		} else {
			rpath += ":" + filepath.Join(final, dir)
		}
	}
	rpath += ":" + filepath.Join(final, "usr/lib")
	interp := ""
	for _, pattern := range []string{libs + "/ld-linux-*.so.*", "usr/lib/ld-linux-*.so.*"} {
		found, err := filepath.Glob(filepath.Join(tmp, pattern))
		if err != nil {
			return err
		}
		if len(found) > 0 {
			rel, err := filepath.Rel(tmp, found[0])
			if err != nil {
				return err
			}
			interp = filepath.Join(final, rel)
			break
		}
	}
	return filepath.WalkDir(tmp, func(path string, d fs.DirEntry, err error) error {
		if err := cmp.Or(err, ctx.Err()); err != nil || !d.Type().IsRegular() {
			return err
		}
		if strings.HasPrefix(d.Name(), "ld-linux") {
			return nil
		}
		head := make([]byte, 4)
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		n, _ := f.Read(head)
		f.Close()
		if n > 2 && string(head[:2]) == "#!" {
			return reinterpret(path, tmp, final)
		}
		if n < 4 || string(head) != "\x7fELF" {
			return nil
		}
		rel, err := filepath.Rel(tmp, path)
		if err != nil {
			return err
		}
		for _, glob := range loaded {
			if ok, err := doublestar.Match(glob, rel); err != nil {
				return fmt.Errorf("loaded %q: %w", glob, err)
			} else if ok {
				return object.Relocate(path, "", rpath)
			}
		}
		if interp == "" {
			// A package without the loader is one of static programs alone (QEMU's): object.Relocate leaves those as they are,
			// and tells where that is wrong.
			return object.Relocate(path, "", "")
		}
		return object.Relocate(path, interp, rpath)
	})
}
