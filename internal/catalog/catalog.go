// Package catalog reads the definitions of toolchains, sysroots and recipes that are embedded in the program, and works
// out what stands in them as words: conditions and placeholders of recipes, and what differs by platform, host or
// source. Which version of a source is taken it leaves to package resolve. It reads no file and downloads nothing.
package catalog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/sync/errgroup"

	"xbuild/internal/platform"
	"xbuild/recipes"
	"xbuild/sysroots"
	"xbuild/toolchains"
)

// A Catalog is every definition, sorted by name.
type Catalog struct {
	Toolchains []*Toolchain
	Sysroots   []*Sysroot
	Recipes    []*Recipe
}

// A Toolchain defines programs that run on the host. The placeholder {slot} in its fields stands for the slot of the
// source that was chosen.
type Toolchain struct {
	Name     string   `toml:"name" json:"name"`
	Summary  string   `toml:"summary" json:"summary"`
	Home     string   `toml:"home" json:"home"`
	Test     []string `toml:"test" json:"-"`     // a command that proves that it runs
	Package  string   `toml:"package" json:"-"`  // the package whose version is the toolchain's
	Packages []string `toml:"packages" json:"-"` // what is fetched, with its dependencies
	// Runtime are Debian packages whose loader and libraries the programs of another archive run with.
	Runtime []string `toml:"runtime" json:"-"`
	Skip    []string `toml:"skip" json:"-"` // globs of packages that are left out
	// Keep are globs of files that are kept, of an npm package as they are inside it; none means all.
	Keep []string `toml:"keep" json:"-"`
	Drop []string `toml:"drop" json:"-"` // globs of files that are left out
	// RPath are library directories beside usr/lib/<multiarch>; one that begins with $ORIGIN comes before it.
	RPath []string `toml:"rpath" json:"-"`
	// Loaded are globs of libraries that programs of other trees load: they find what they need by themselves.
	Loaded []string `toml:"loaded" json:"-"`
	// Relocate are globs of text files in which paths below /usr, where the tree has them, become the tree's.
	Relocate []string `toml:"relocate" json:"-"`
	// Links are symbolic links that its tree gets: path -> glob of the file that it leads to, the first of several.
	Links    map[string]string `toml:"links" json:"-"`
	Hide     []Hide            `toml:"hide" json:"-"` // directories of the host that its programs look into by themselves
	Sources  []Source          `toml:"source" json:"sources"`
	Programs map[string]string `toml:"programs" json:"programs"` // name on PATH -> path in the tree
	Env      map[string]string `toml:"env" json:"-"`             // variables by which others find it -> path in the tree
	Explain  []Explain         `toml:"explain" json:"-"`         // what its messages mean for the user
	// Lenient are, of clang, the groups of its errors in C that older compilers had as warnings.
	Lenient []string `toml:"lenient" json:"-"`

	// Warned are errors of clang in C++ that GCC has as warnings, which they are here too; a source may add some.
	Warned []string `toml:"warned" json:"-"`

	// Unheeded are, of clang, options of GNU ld that change nothing, which its linker does not know.
	Unheeded []string `toml:"unheeded" json:"-"`
	Only     []Only   `toml:"only" json:"only,omitempty"`

	// Jobserver is how releases of it are given jobs by GNU make's jobserver; the first that fits counts.
	Jobserver []Jobserver `toml:"jobserver" json:"-"`

	// Language is the one that it compiles, where that needs more than stands here (package lang).
	Language string `toml:"language" json:"-"`
	// Compiler is how a compiler view is made of it, where it compiles C.
	Compiler *Compiler `toml:"compiler" json:"-"`
	// Beside are the toolchains that it works with, where it is fetched for a command alone.
	Beside []string `toml:"beside" json:"-"`
	// Switches says that it fetches an exact release of itself, and that any release does that.
	Switches bool `toml:"switches" json:"-"`
	// BringsLibc says that it links without a C compiler where a platform names a linker of its own, with the C library
	// that its standard library holds.
	BringsLibc bool `toml:"brings_libc" json:"-"`

	Absent []Absent `toml:"absent" json:"-"` // programs of the same name as the host's that it does not have

	// Dialect is how it is told what to compile for, where that is by words of its own: a recipe that needs it writes
	// {NAME.target} and {NAME.cpu}. What Dialect names no target for, it does not compile for.
	Dialect *platform.Dialect `toml:"dialect" json:"-"`

	// A definition may be a second one of a toolchain, whose sources come after those of the first, and alone where a
	// project says source = Choice.
	Provides string `toml:"provides" json:"provides,omitempty"`
	Choice   string `toml:"choice" json:"choice,omitempty"`
}

// A Compiler says how a directory of programs that compile for one platform is made of a toolchain.
type Compiler struct {
	// GCC says that it is one: for one machine each, and told of a platform by options, not by a file.
	GCC     bool     `toml:"gcc"`
	C       string   `toml:"c"`       // its own name as a compiler of C, and the program in Bin
	CXX     string   `toml:"cxx"`     // that as a compiler of C++
	Fortran string   `toml:"fortran"` // that of Fortran; "" where it compiles none
	Drivers []string `toml:"drivers"` // all names that it is called by; it knows by its name what it is to do
	// CXXDrivers are those of C++. Called by one, with a triplet in front or without, it reads <name>.cfg beside the
	// platform's file, and <C>.cfg where it is called by any other.
	CXXDrivers []string          `toml:"cxx_drivers"`
	Bin        string            `toml:"bin"`        // the directory of its programs
	Resources  string            `toml:"resources"`  // that of its own headers
	Tools      map[string]string `toml:"tools"`      // names of binary tools, and the program behind each
	Strippers  map[string]string `toml:"strippers"`  // those that can take symbols away
	Linker     string            `toml:"linker"`     // the one of them that links
	Pragma     string            `toml:"pragma"`     // the word that its pragmas about warnings begin with
	PkgConfig  string            `toml:"pkg_config"` // the toolchain that has pkg-config
}

// Compiler is the toolchain that compiles C where a project names none.
func (c *Catalog) Compiler() *Toolchain {
	i := slices.IndexFunc(c.Toolchains, func(t *Toolchain) bool { return t.Compiler != nil && !t.Compiler.GCC })
	return c.Toolchains[i] // a test of this package sees that there is one
}

// Compilers are the names of the toolchains that compile C.
func (c *Catalog) Compilers() []string {
	var out []string
	for _, t := range c.Toolchains {
		if t.Compiler != nil {
			out = append(out, t.Name)
		}
	}
	return out
}

// A Jobserver is one way to be told of a jobserver.
type Jobserver struct {
	Versions string `toml:"versions"` // semver; "" for all, those of the host too
	Form     string `toml:"form"`     // JobserverPipe or JobserverDescriptors
}

// The forms of MAKEFLAGS by which a command is told of a jobserver (GNU make's manual, "POSIX Jobserver Interaction").
const (
	JobserverPipe        = "pipe"        // --jobserver-auth=fifo:PATH
	JobserverDescriptors = "descriptors" // --jobserver-auth=R,W
)

// An Only is a platform that not every version of a toolchain compiles for as it should: those that the constraint
// admits do.
type Only struct {
	Platform string `toml:"platform" json:"platform"` // without a variant; its variants too
	Versions string `toml:"versions" json:"versions"` // semver
	Why      string `toml:"why" json:"why"`           // what the others do wrong, behind a colon
}

// For returns what the definition says of a platform, nil where every version serves it.
func (t *Toolchain) For(p platform.Platform) *Only {
	for i, o := range t.Only {
		if p.Name == o.Platform || strings.HasPrefix(p.Name, o.Platform+"/") {
			return &t.Only[i]
		}
	}
	return nil
}

// An Absent says of programs that a toolchain stands in the place of what it lacks.
type Absent struct {
	Programs []string `toml:"programs"` // names, or names with {release}
	Releases []string `toml:"releases"` // what stands for {release}
	Why      string   `toml:"why"`
}

// Names are the names of the programs.
func (a Absent) Names() (out []string) {
	for _, p := range a.Programs {
		if !strings.Contains(p, "{release}") {
			out = append(out, p)
			continue
		}
		for _, r := range a.Releases {
			out = append(out, strings.ReplaceAll(p, "{release}", r))
		}
	}
	return out
}

// A Hide is a directory of the host as a toolchain's texts name it: there they name one that is nowhere.
type Hide struct {
	Files string `toml:"files"` // a glob
	Path  string `toml:"path"`
}

// An Explain turns a message of a command that failed into what the user can do about it.
type Explain struct {
	Match string `toml:"match"` // a regular expression, multi-line
	// Example is a message that it is for, as the command prints it.
	Example string `toml:"example"`
	// Hint may have {1} and so on for what the expression's groups matched, and what Explanation fills in.
	Hint string `toml:"hint"`
	// Listed is the hint where the project lists the package already that {package} stands for.
	Listed string `toml:"listed"`
	// Standard says that the groups name a header or a name of the C++ standard library: what Standard knows of it is the
	// hint then, in the place of this one.
	Standard bool   `toml:"standard"`
	Last     bool   `toml:"last"`   // of several messages the last is meant, not the first: those before it were no errors
	Unless   string `toml:"unless"` // a regular expression of what is the reason instead, where the log has it
	// Find is a regular expression of what has to be in a build file of the source, or in the log; {where} in the hint
	// says where it is.
	Find string `toml:"find"`
	// Cgo is of a message that begins with the name of a Go file. With true it counts where the file's package has
	// files that are compiled with cgo alone, and the target is compiled without; with false where the package has
	// none.
	Cgo  *bool `toml:"cgo"`
	Fail bool  `toml:"fail"` // the command counts as failed even where it says that it succeeded
}

// A Source is one place that a toolchain comes from.
type Source struct {
	Archive string `toml:"archive" json:"archive"` // the kind of archive: debian, npm, rust, pypi
	// Suite is, of npm and pypi, whose packages have no suites, a range of versions: the newest in it is taken; of
	// rust, a channel.
	Suite   string `toml:"suite" json:"suite"`
	Slot    string `toml:"slot" json:"slot,omitempty"` // what the archive writes into the package names: 19, 1.24
	Runtime string `toml:"runtime" json:"-"`           // the Debian suite of the definition's runtime
	// Needs are the features that each of its programs needs although the platform does not promise them, because the
	// compiler or its runtime takes them for granted: by platform. Where the project promises them, all is well.
	Needs   map[string][]string `toml:"needs" json:"needs,omitempty"`
	Lenient []string            `toml:"lenient" json:"-"` // more than the toolchain's
	Warned  []string            `toml:"warned" json:"-"`  // of clang: the same

	// Compat is, of clang, the release whose names of C++ functions are those of GCC, which made the
	// platforms' libraries.
	Compat string `toml:"compat" json:"-"`

	// Driver are flags that this release of clang needs for a platform beside the platform's own.
	Driver map[string][]string `toml:"driver" json:"-"`

	def *Toolchain // the second definition that it is of; nil for the first
}

// The kinds of archive that definitions name.
const (
	Debian = "debian"
	NPM    = "npm"
	Rust   = "rust" // the Rust project's own distribution
	PyPI   = "pypi" // an index of Python packages, of which wheels are taken
)

// Where the crates are that a library's source stands on.
const (
	Vendored = "vendored" // in the source
	Fetched  = "fetched"  // with their registry: cargo fetches them
)

// Archives are the kinds, as [mirrors] of a project names them.
var Archives = []string{Debian, NPM, Rust, PyPI}

// On returns the definition for a host, whose name in Node's spelling is {node} in the packages of npm.
func (t *Toolchain) On(host platform.Platform) *Toolchain {
	on := *t
	on.fill(strings.NewReplacer("{node}", host.Node))
	return &on
}

// ForEach says whether the toolchain compiles for one machine each: its packages are named by it.
func (t *Toolchain) ForEach() bool { return strings.Contains(t.Package, "{gnu-name}") }

// To returns the definition of such a toolchain for a platform, whose machine is {gnu} in GNU's words and {gnu-name} in
// the names of packages.
func (t *Toolchain) To(p platform.Platform) *Toolchain {
	to := *t
	to.fill(strings.NewReplacer("{gnu}", p.GCC, "{gnu-name}", strings.ReplaceAll(p.GCC, "_", "-")))
	return &to
}

// Own says whether a source is of the toolchain's first definition.
func (s Source) Own() bool { return s.def == nil }

// From returns the definition with the sources of a project's choice alone: "archive" for the first definition's, a
// second one's choice for its, "" for all.
func (t *Toolchain) From(choice string) *Toolchain {
	from := *t
	from.Sources = slices.DeleteFunc(slices.Clone(t.Sources), func(s Source) bool {
		switch choice {
		case "":
			return false
		case "archive":
			return !s.Own()
		}
		return s.Own() || s.def.Choice != choice
	})
	return &from
}

// In returns the definition with {slot} filled in.
func (t *Toolchain) In(s Source) *Toolchain {
	in := *t
	if s.def != nil {
		in = *s.def
		in.Name = t.Name
	}
	in.fill(strings.NewReplacer("{slot}", s.Slot))
	in.Sources = []Source{s}
	return &in
}

// fill replaces placeholders in lists that the definition then has to itself.
func (t *Toolchain) fill(r *strings.Replacer) {
	all := func(list []string) []string {
		out := make([]string, len(list))
		for i, v := range list {
			out[i] = r.Replace(v)
		}
		return out
	}
	t.Package = r.Replace(t.Package)
	t.Packages, t.Skip, t.Keep = all(t.Packages), all(t.Skip), all(t.Keep)
	t.Drop, t.RPath, t.Relocate = all(t.Drop), all(t.RPath), all(t.Relocate)
	filled := func(m map[string]string) map[string]string {
		out := make(map[string]string, len(m))
		for name, file := range m {
			out[r.Replace(name)] = r.Replace(file)
		}
		return out
	}
	t.Programs, t.Env, t.Links = filled(t.Programs), filled(t.Env), filled(t.Links)
	if t.Compiler != nil {
		c := *t.Compiler
		c.Bin, c.Resources, c.Linker = r.Replace(c.Bin), r.Replace(c.Resources), r.Replace(c.Linker)
		c.Tools, c.Strippers = filled(c.Tools), filled(c.Strippers)
		t.Compiler = &c
	}
}

// A Sysroot defines where headers and libraries of the platforms come from: a libc with what belongs to it, or the
// library that a language brings for each platform, which then is one of a toolchain and follows its suite and version;
// or the headers of a program that loads modules, in versions that the project names, or that program itself.
type Sysroot struct {
	Name    string `toml:"name" json:"name"`
	Summary string `toml:"summary" json:"summary"`
	Libc    string `toml:"libc" json:"libc,omitempty"`
	Of      string `toml:"of" json:"of,omitempty"` // the toolchain whose library it is
	// From is the definition that is asked next where no suite has a target: another library, or the source that it is
	// built from.
	From   string `toml:"from" json:"from,omitempty"`
	Source string `toml:"source" json:"source,omitempty"` // the archive's source package, in the place of packages
	// Archive is the kind; debian where it says none. Of npm, the versions that a project names take the place of
	// suites.
	Archive string `toml:"archive" json:"archive,omitempty"`
	// Provides is the library that it is where the toolchain came from this archive.
	Provides string `toml:"provides" json:"provides,omitempty"`
	// Package is the package whose version is the tree's, where that is not a libc's or a toolchain's.
	Package  string            `toml:"package" json:"-"`
	Packages []string          `toml:"packages" json:"-"`
	Skip     []string          `toml:"skip" json:"-"`
	Keep     []string          `toml:"keep" json:"-"` // globs of files that are kept; none means all
	Drop     []string          `toml:"drop" json:"-"`
	Links    map[string]string `toml:"links" json:"-"` // symbolic links that the sysroot gets: path -> target
	// Expose is a directory -> glob of files that packages keep elsewhere, if they are there: they get links in it.
	Expose    map[string]string `toml:"expose" json:"-"`
	Flags     []string          `toml:"flags" json:"-"`     // the C compiler's, beside --target and --sysroot
	RustFlags []string          `toml:"rustflags" json:"-"` // rustc's
	// Crates says, of a library's source that cargo builds, where its crates are: "vendored" in it, or "fetched".
	Crates   string            `toml:"crates" json:"-"`
	CargoEnv map[string]string `toml:"cargo_env" json:"-"` // variables for cargo and what it starts
	// What rustc puts around each program beside the standard library: library/rtstartup/NAME.rs of its source, which
	// becomes NAME.o.
	RustObjects []string          `toml:"rust_objects" json:"-"`
	Tools       map[string]string `toml:"tools" json:"-"` // more binary tools: <triplet>-NAME -> the program in LLVM's bin
	Node        string            `toml:"node" json:"-"`  // the libc in the names of npm and prebuildify
	// NodeLink is what links a module that Node loads, where the C++ compiler alone does not.
	NodeLink []string `toml:"node_link" json:"-"`
	// CXX names the sysroot that is the source of the C++ library, which is built for a platform where a target
	// compiles C++; empty where the packages have one.
	CXX     string `toml:"cxx" json:"-"`
	Fortran string `toml:"fortran" json:"-"` // the package that programs in Fortran are linked with, {gcc} in it
	NoCXX   string `toml:"no_cxx" json:"-"`  // what a user is told who compiles C++ where no target was seen to
	// Stdlib is the C++ library of its packages, and OtherCXX names the source of one that a project may choose in its
	// place.
	Stdlib   string   `toml:"stdlib" json:"stdlib,omitempty"`
	OtherCXX string   `toml:"other_cxx" json:"-"`
	Library  *Library `toml:"library" json:"-"` // how the library is built whose source it is
	Prefer   []string `toml:"prefer" json:"-"`  // suites in the order of choice where the user asks for none
	Host     string   `toml:"host" json:"-"`    // the suite that programs for the host are built with
	// Configure is what configure scripts find out by running a program: the variables of autoconf's cache.
	Configure map[string]string `toml:"configure" json:"-"`
	// ConfigureLike names the sysroot whose answers these are but for those that Configure names.
	ConfigureLike string `toml:"configure_like" json:"-"`
	// Dev is what compilers and pkg-config ask for by name -> the package that has it, for explanations.
	Dev    map[string]string `toml:"dev" json:"-"`
	Suites []Suite           `toml:"suite" json:"suites"`
	// Program is what the tree is fetched for, where it is not libraries: its path, in which {package} is the build's
	// package.
	Program string  `toml:"program" json:"program,omitempty"`
	Builds  []Build `toml:"build" json:"builds,omitempty"`

	// HostPackages says how the packages are composed whose programs run on the host while something is built with the
	// sysroot's libraries; nil where there are none.
	HostPackages *HostPackages `toml:"host_packages" json:"-"`

	others []*Sysroot // that provide it from other archives
}

// HostPackages say what of packages for the host is left out, with what they depend on.
type HostPackages struct {
	Skip     []string `toml:"skip"` // as of a sysroot
	Drop     []string `toml:"drop"`
	RPath    []string `toml:"rpath"`    // as of a toolchain
	Relocate []string `toml:"relocate"` // as of a toolchain
	// Apart are globs of programs that are called by their places in the sysroot alone: on PATH they would tell a build
	// where the host's libraries are.
	Apart []string `toml:"apart"`
	// Path are the directories whose programs are on PATH; of two by one name the first counts.
	Path []string `toml:"path"`
	// Env are variables for builds that run the programs: what keeps the moment and the machine out of what they write.
	Env map[string]string `toml:"env"`
}

// HostPackagesName is the name of what HostPackages are locked and composed as.
const HostPackagesName = "host-packages"

// OnHost is the definition of the sysroot's packages for the host, nil where there are none.
func (s *Sysroot) OnHost() *Sysroot {
	if s.HostPackages == nil {
		return nil
	}
	return &Sysroot{Name: HostPackagesName, Skip: s.HostPackages.Skip, Suites: s.Suites}
}

// For returns the definition of a toolchain's library for the archive that the toolchain came from, nil where there is
// none.
func (s *Sysroot) For(archive string) *Sysroot {
	for _, d := range append([]*Sysroot{s}, s.others...) {
		if cmp.Or(d.Archive, Debian) == archive {
			return d
		}
	}
	return nil
}

// A Library says how a static library of C++ is compiled from its source, for a platform and by the platform's own
// compiler. {source} in arguments stands for the tree of the source.
type Library struct {
	Name    string `toml:"name"`    // NAME.a
	Release int    `toml:"release"` // of LLVM
	Headers string `toml:"headers"` // the directory of its headers in the source
	// Config are headers that its own build would write: name -> the file beside the definitions, then what stands in
	// that.
	Config map[string]string `toml:"config"`
	Flags  []string          `toml:"flags"` // what compilers need to use it, beside where it lies
	// Link are libraries that the linker takes beside it, where they are needed.
	Link []string `toml:"link"`
	// NodeRefuse are parts of the mangled names of functions of Node that a module cannot call, because objects of
	// Node's own C++ library go in or come out.
	NodeRefuse []string `toml:"node_refuse"`
	Compile    []string `toml:"compile"` // arguments for every file
	Units      []Unit   `toml:"unit"`
}

// A Unit is files of a library that are compiled alike.
type Unit struct {
	Sources []string `toml:"sources"` // globs
	Except  []string `toml:"except"`
	Compile []string `toml:"compile"` // arguments after those for every file
	// Precompiled are headers that are read once for all of the unit's files: the same objects come out in half the
	// time, but for files that define something before they include one.
	Precompiled []string `toml:"precompiled"`
}

// A Build is the package of npm that has a program for one platform.
type Build struct {
	Platform string   `toml:"platform" json:"platform"`
	Package  string   `toml:"package" json:"package"`
	Versions []string `toml:"versions" json:"versions,omitempty"` // all that there are; empty where new ones come
}

// A Suite is one release of the archive as a source of sysroots, oldest first in its Sysroot.
type Suite struct {
	Name    string   `toml:"name" json:"name"`
	Glibc   string   `toml:"glibc" json:"glibc,omitempty"`
	Version string   `toml:"version" json:"version,omitempty"` // of another libc than glibc, or of a program
	GCC     string   `toml:"gcc" json:"-"`                     // {gcc} in the package names and flags
	Flags   []string `toml:"flags" json:"-"`                   // the C compiler's, after the sysroot's
	// ArchFlags are more of them for an architecture alone.
	ArchFlags map[string][]string `toml:"arch_flags" json:"-"`
	// Supplement is a C file beside the definitions: what the suite's libraries ask the C library for and this one
	// lacks. Each compiler view compiles it, and a program gets it where it asks for it. SupplementText is what stands
	// in it.
	Supplement     string   `toml:"supplement" json:"-"`
	SupplementText string   `toml:"-" json:"-"`
	Architectures  []string `toml:"architectures" json:"architectures,omitempty"`
	// Package is the package for all architectures that has the source, in the place of the source package's own file,
	// and Strip how many directories it lies below there.
	Package string `toml:"package" json:"-"`
	Strip   int    `toml:"strip" json:"-"`
	// Targets are those of a language's library: the compiler's target -> the archive's architecture.
	Targets map[string]string `toml:"targets" json:"targets,omitempty"`
	// Beyond are features that the library's own code uses although the platform does not promise them, by the
	// compiler's target, each with a semver constraint behind it where not all versions do: where the project does not
	// promise them either, the library is none for it.
	Beyond map[string][]string `toml:"beyond" json:"beyond,omitempty"`
}

// Roots returns the suite's package names.
func (s *Sysroot) Roots(suite Suite) []string {
	if suite.Package != "" {
		return []string{suite.Package}
	}
	out := make([]string, len(s.Packages))
	for i, p := range s.Packages {
		out[i] = strings.ReplaceAll(p, "{gcc}", suite.GCC)
	}
	return out
}

// Suite returns the suite of that name.
func (s *Sysroot) Suite(name string) (Suite, bool) {
	i := slices.IndexFunc(s.Suites, func(x Suite) bool { return x.Name == name })
	if i < 0 {
		return Suite{}, false
	}
	return s.Suites[i], true
}

// Load reads the embedded definitions, once.
var Load = sync.OnceValues(func() (*Catalog, error) {
	c := &Catalog{}
	var g errgroup.Group // it is a third of what a short command does
	g.Go(func() (err error) {
		c.Toolchains, err = read(toolchains.Files, "toolchains", func(t *Toolchain) string { return t.Name })
		return err
	})
	g.Go(func() (err error) {
		c.Sysroots, err = read(sysroots.Files, "sysroots", func(s *Sysroot) string { return s.Name })
		return err
	})
	g.Go(func() (err error) {
		c.Recipes, err = read(recipes.Files, "recipes", func(r *Recipe) string { return r.Name })
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, t := range c.Toolchains {
		if t.Provides == "" {
			continue
		}
		first := c.Toolchain(t.Provides)
		if first == nil || first.Provides != "" {
			return nil, fmt.Errorf("toolchains/%s.toml: provides the unknown toolchain %q", t.Name, t.Provides)
		}
		for _, s := range t.Sources {
			s.def = t
			first.Sources = append(first.Sources, s)
		}
	}
	for _, s := range c.Sysroots {
		if s.Provides == "" {
			continue
		}
		first := c.Part(s.Provides)
		if first == nil || first.Provides != "" {
			return nil, fmt.Errorf("sysroots/%s.toml: provides the unknown library %q", s.Name, s.Provides)
		}
		first.others = append(first.others, s)
	}
	for _, s := range c.Sysroots {
		for i, suite := range s.Suites {
			if suite.Supplement == "" {
				continue
			}
			text, err := fs.ReadFile(sysroots.Files, suite.Supplement)
			if err != nil {
				return nil, fmt.Errorf("sysroots/%s.toml: suite %s: supplement: %w", s.Name, suite.Name, err)
			}
			s.Suites[i].SupplementText = string(text)
		}
	}
	for _, s := range c.Sysroots {
		if s.Crates != "" && s.Crates != Vendored && s.Crates != Fetched {
			return nil, fmt.Errorf("sysroots/%s.toml: crates is %q, want %s or %s", s.Name, s.Crates, Vendored, Fetched)
		}
		for _, name := range []string{s.CXX, s.OtherCXX} {
			if lib := c.Part(name); name != "" && (lib == nil || lib.Library == nil) {
				return nil, fmt.Errorf("sysroots/%s.toml: cxx or other_cxx names no library's source: %q", s.Name, name)
			}
		}
		if s.Library == nil {
			continue
		}
		for name, file := range s.Library.Config {
			text, err := fs.ReadFile(sysroots.Files, file)
			if err != nil {
				return nil, fmt.Errorf("sysroots/%s.toml: library: config: %w", s.Name, err)
			}
			s.Library.Config[name] = string(text)
		}
	}
	for _, s := range c.Sysroots {
		if s.ConfigureLike == "" {
			continue
		}
		like := c.Part(s.ConfigureLike)
		if like == nil || like.ConfigureLike != "" {
			return nil, fmt.Errorf("sysroots/%s.toml: configure_like names no sysroot with answers of its own: %q", s.Name, s.ConfigureLike)
		}
		own := s.Configure
		s.Configure = maps.Clone(like.Configure)
		maps.Copy(s.Configure, own)
	}
	return c, nil
})

// decode is go-toml, which takes a quarter of the time that the decoder takes which says more of what a user wrote:
// each start reads these.
func decode(data []byte, v any) error {
	err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(v)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		return fmt.Errorf("unknown key %q", strings.Join(unknown.Errors[0].Key(), "."))
	}
	return err
}

func read[T any](files fs.FS, dir string, name func(*T) string) ([]*T, error) {
	paths, err := fs.Glob(files, "*.toml")
	if err != nil {
		return nil, err
	}
	var out []*T
	for _, p := range paths {
		data, err := fs.ReadFile(files, p)
		if err != nil {
			return nil, err
		}
		v := new(T)
		if err := decode(data, v); err != nil {
			return nil, fmt.Errorf("%s/%s: %w", dir, p, err)
		}
		if want := strings.TrimSuffix(path.Base(p), ".toml"); name(v) != want {
			return nil, fmt.Errorf("%s/%s: name is %q, want %q as the file's", dir, p, name(v), want)
		}
		out = append(out, v)
	}
	return out, nil
}

// Toolchain returns the definition of that name, nil where there is none.
func (c *Catalog) Toolchain(name string) *Toolchain {
	for _, t := range c.Toolchains {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// ToolchainOf returns the definition of a language's toolchain, nil where there is none.
func (c *Catalog) ToolchainOf(language string) *Toolchain {
	for _, t := range c.Toolchains {
		if t.Language == language && t.Provides == "" {
			return t
		}
	}
	return nil
}

// RecipeOf returns the definition of a language's recipe, nil where there is none.
func (c *Catalog) RecipeOf(language string) *Recipe {
	for _, r := range c.Recipes {
		if r.Language == language {
			return r
		}
	}
	return nil
}

// Recipe returns the definition of that name, nil where there is none.
func (c *Catalog) Recipe(name string) *Recipe {
	for _, r := range c.Recipes {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// Part returns the definition of that name, nil where there is none.
func (c *Catalog) Part(name string) *Sysroot {
	for _, s := range c.Sysroots {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Chain returns the definitions that are asked in turn for a target of a toolchain's library: the one of that name, and
// those that it names by From.
func (c *Catalog) Chain(name string) []*Sysroot {
	var out []*Sysroot
	for d := c.Part(name); d != nil && !slices.Contains(out, d); d = c.Part(d.From) {
		out = append(out, d)
	}
	return out
}

// Sysroot returns the definition for a libc, nil where there is none.
func (c *Catalog) Sysroot(libc string) *Sysroot {
	for _, s := range c.Sysroots {
		if s.Libc == libc && libc != "" {
			return s
		}
	}
	return nil
}
