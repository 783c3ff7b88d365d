// Package node knows the native modules of Node.js as they lie in a project: which packages of an installed tree have
// to be compiled and by which tool, which interface of Node a compiled module uses, and what prebuildify calls it. It
// reads files, writes the headers' configuration, and runs nothing.
package node

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"

	"xbuild/internal/lazyregexp"
)

// A Build is what is made of a project for one platform.
type Build struct {
	App      bool      `json:"app,omitempty"` // the whole application; otherwise the module that the source is
	Headers  []Headers `json:"headers"`       // the versions of Node, in the order of the project
	Arch     string    `json:"arch"`          // process.arch, which npm and prebuildify go by
	Gyp      string    `json:"gyp"`           // node-gyp's --arch
	HostArch string    `json:"host_arch"`
	ARM      string    `json:"arm,omitempty"`    // the version of the ARM architecture where Arch does not tell it
	Libc     string    `json:"libc"`             // glibc or musl, as prebuildify and npm say
	Refuse   []string  `json:"refuse,omitempty"` // parts of names of functions of Node that a module cannot call
	Big      bool      `json:"big_endian,omitempty"`
	Narrow   bool      `json:"narrow,omitempty"`   // pointers have 32 bits
	Binary   string    `json:"binary,omitempty"`   // the .node file that is the module, where there are several
	Flags    []string  `json:"flags,omitempty"`    // further arguments of node-gyp configure
	Skip     []string  `json:"skip,omitempty"`     // packages that are not built
	Scripts  []string  `json:"scripts,omitempty"`  // packages whose own install scripts are run
	Prebuilt []string  `json:"prebuilt,omitempty"` // packages whose compiled files are taken as they are
	Exclude  []string  `json:"exclude,omitempty"`  // globs that are left out of the application
	CMake    bool      `json:"cmake,omitempty"`    // CMake and Ninja are there
	Cargo    *Cargo    `json:"cargo,omitempty"`    // Rust is there
	// What installs, in which version, by which lock file, and where that is seen from the source; and the project as
	// seen from there.
	Manager        string   `json:"manager,omitempty"`
	ManagerVersion string   `json:"manager_version,omitempty"`
	Lock           string   `json:"lock,omitempty"`
	Workspace      string   `json:"workspace,omitempty"` // "" where the source has the lock file itself
	Members        []string `json:"members,omitempty"`
	Where          string   `json:"-"` // the target in xbuild.toml, for errors
}

// A Cargo is what modules in Rust are built with: napi-rs calls cargo, whose environment is another than node-gyp's.
type Cargo struct {
	Target string            `json:"target"` // rustc's
	Env    map[string]string `json:"env"`    // "" takes a variable away
	Path   []string          `json:"path"`   // in front of all else
}

// Headers are those of one version of Node.
type Headers struct {
	Version string `json:"version"`
	Dir     string `json:"dir"` // what holds node.h
}

// A Package is a directory with a package.json.
type Package struct {
	Name         string            `json:"name"`
	Version      string            `json:"version"`
	Main         string            `json:"main"`
	Scripts      map[string]string `json:"scripts"`
	Dependencies map[string]string `json:"dependencies"`
	Optional     map[string]string `json:"optionalDependencies"`
	Dev          map[string]string `json:"devDependencies"`
	Peer         map[string]string `json:"peerDependencies"`
	OS           words             `json:"os"` // for which it is: all, where there is none
	CPU          words             `json:"cpu"`
	Libc         words             `json:"libc"`
	Gypfile      *bool             `json:"gypfile"`
	Binary       json.RawMessage   `json:"binary"`
	NAPI         json.RawMessage   `json:"napi"` // of napi-rs
	Dir          string            `json:"-"`
}

// Read reads the package.json of a directory.
func Read(dir string) (Package, error) {
	p := Package{Dir: dir}
	file := filepath.Join(dir, "package.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	// Of the many packages some have a field of another type: only what is needed has to be right.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &fields); err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	for name, to := range map[string]any{"name": &p.Name, "version": &p.Version, "main": &p.Main, "scripts": &p.Scripts,
		"dependencies":         &p.Dependencies,
		"optionalDependencies": &p.Optional, "devDependencies": &p.Dev, "peerDependencies": &p.Peer, "os": &p.OS,
		"cpu": &p.CPU, "libc": &p.Libc, "gypfile": &p.Gypfile} {
		if raw, ok := fields[name]; ok && json.Unmarshal(raw, to) != nil {
			switch to := to.(type) {
			case *map[string]string:
				*to = nil
			case *string:
				*to = ""
			case **bool:
				*to = nil
			}
		}
	}
	p.Binary, p.NAPI = fields["binary"], fields["napi"]
	return p, nil
}

// The tools that compile modules.
const (
	NodeGyp = "node-gyp"
	CMakeJS = "cmake-js"
	NAPIRS  = "napi-rs"
)

// Tool is what compiles the package: "" where it holds nothing to be compiled.
func (p Package) Tool() string {
	switch {
	case p.Gypfile != nil && !*p.Gypfile && p.install() == "":
		return "" // npm does not build it either (npm help scripts, "install")
	case has(p.Dir, "binding.gyp"):
		return NodeGyp
	case has(p.Dir, "CMakeLists.txt") && (p.Dependencies[CMakeJS] != "" || strings.Contains(p.install(), CMakeJS)):
		return CMakeJS
	case len(p.NAPI) > 0 && has(p.Dir, "Cargo.toml"):
		return NAPIRS
	}
	return ""
}

// install is what npm runs when it installs the package.
func (p Package) install() string {
	var out []string
	for _, name := range []string{"preinstall", "install", "postinstall"} {
		if s := p.Scripts[name]; s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, " && ")
}

// Script is the command line of an install script, "" where the package has none.
func (p Package) Script() string { return p.install() }

// builders are the commands in install scripts in whose place xbuild calls node-gyp, and those that do nothing.
var builders = lazyregexp.New(`^(exit( [0-9]+)?|true|:|echo [^>|]*) $|^(cross-env(-shell)? )?(\w+=\S* )*(node-gyp|node-gyp-build|node-gyp-build-optional-packages|prebuild-install|node-pre-gyp|pkg-prebuilds-verify|pkg-prebuilds-install|prebuild)( |$)`)

// Prepares tells whether the package's install script does more than to compile with node-gyp or to look for a
// prebuild: node-gyp may want what it makes.
func (p Package) Prepares() bool {
	for _, name := range []string{"preinstall", "install"} {
		for _, command := range commands.Split(p.Scripts[name], -1) {
			if command = strings.TrimSpace(command); command != "" && !builders.MatchString(command+" ") {
				return true
			}
		}
	}
	return false
}

// scriptsTOML lists install scripts that an application does not need.
//
//go:embed scripts.toml
var scriptsTOML []byte

// idle are the packages whose install scripts change nothing that is loaded.
var idle = sync.OnceValue(func() map[string]bool {
	var doc struct {
		Idle []struct {
			Packages []string
			Why      string
		}
	}
	md, err := toml.Decode(string(scriptsTOML), &doc)
	if err != nil || len(md.Undecoded()) > 0 {
		panic(fmt.Sprintf("scripts.toml: %v %v", err, md.Undecoded()))
	}
	out := map[string]bool{}
	for _, e := range doc.Idle {
		for _, name := range e.Packages {
			out[name] = true
		}
	}
	return out
})

// forgiven ends a command line whose failure says nothing.
var forgiven = lazyregexp.New(`\|\| *(true|:|exit( 0)?|echo [^>|;&]*) *\)?$`)

// Needless tells whether a package does without what its install scripts do: a table says so, or each line of them ends
// well when it fails.
func (p Package) Needless() bool {
	if idle()[p.Name] {
		return true
	}
	for _, name := range []string{"preinstall", "install", "postinstall"} {
		s := strings.TrimSpace(p.Scripts[name])
		if s != "" && !forgiven.MatchString(s) && !builders.MatchString(s+" ") {
			return false
		}
	}
	return true
}

// commands separates the commands of a shell's line.
var commands = lazyregexp.New(`&&|\|\||;`)

// loaders are the packages by which a native module finds its compiled file or fetches one: a package that depends on
// one is native, whatever it holds.
var loaders = []string{"prebuild-install", "node-pre-gyp", "@mapbox/node-pre-gyp", "node-gyp-build",
	"node-gyp-build-optional-packages", "bindings", "require-addon", "pkg-prebuilds"}

// Native tells whether a package without anything to compile needs a compiled file all the same.
func (p Package) Native() bool {
	if len(p.Binary) > 0 && p.install() != "" {
		return true
	}
	return slices.ContainsFunc(loaders, func(name string) bool { return p.Dependencies[name] != "" })
}

func has(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode().IsRegular()
}

// Installed returns the packages below the node_modules of a directory, those in their own node_modules and the
// workspaces that are linked there included, each once, in the order of their paths.
func Installed(root string) ([]Package, error) {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	var out []Package
	seen := map[string]bool{root: true}
	var walk func(dir string) error
	one := func(dir string) error {
		real, err := filepath.EvalSymlinks(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		if rel, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(rel) || seen[real] {
			return nil
		}
		seen[real] = true
		if !has(real, "package.json") {
			return nil // .bin, .cache, .package-lock.json
		}
		p, err := Read(real)
		if err != nil {
			return err
		}
		out = append(out, p)
		return walk(real)
	}
	walk = func(dir string) error {
		modules := filepath.Join(dir, "node_modules")
		entries, err := os.ReadDir(modules)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			path := filepath.Join(modules, e.Name())
			if !strings.HasPrefix(e.Name(), "@") {
				if err := one(path); err != nil {
					return err
				}
				continue
			}
			scoped, err := os.ReadDir(path)
			if err != nil {
				return err
			}
			for _, s := range scoped {
				if err := one(filepath.Join(path, s.Name())); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := walk(root); err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b Package) int { return strings.Compare(a.Dir, b.Dir) })
	return out, nil
}

var (
	abiLine  = lazyregexp.New(`(?m)^#define NODE_MODULE_VERSION (\d+)\s*$`)
	napiLine = lazyregexp.New(`(?m)^#define (?:NODE_API_SUPPORTED_VERSION_MAX|NAPI_VERSION)\s+(\d+)\s*$`)
)

// ABI returns the number of Node's V8 interface in headers, process.versions.modules (node_version.h), and of the
// newest Node-API that they know.
func (h Headers) ABI() (abi, napi int, err error) {
	file := filepath.Join(h.Dir, "node_version.h")
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	m := abiLine.FindSubmatch(data)
	if m == nil {
		return 0, 0, fmt.Errorf("%s: no NODE_MODULE_VERSION", file)
	}
	if abi, err = strconv.Atoi(string(m[1])); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", file, err)
	}
	if m := napiLine.FindSubmatch(data); m != nil {
		napi, err = strconv.Atoi(string(m[1]))
	}
	return abi, napi, err
}

// gccFlags are flags in the common.gypi of Node 20 and older that clang does not know (ppc64); later ones ask first
// whether it is clang that compiles. A small table of contents saves a few bytes and changes no interface.
var gccFlags = []string{"-mminimal-toc"}

// handles are types of Node-API that C++ must not take for pointers to objects on 32-bit platforms. Classes of
// node-addon-api convert to them and have an operator [] for uint32_t or size_t: where ptrdiff_t is int, x[0] could as
// well be the pointer's own subscript (C++20, [over.built]/17), which clang refuses and g++ only warns of. Functions
// have no subscript, and pointers to them the same size and calling convention.
var handles = lazyregexp.New(`(?m)^typedef struct (napi_value__|napi_callback_info__) ?\* ?(napi_\w+);$`)

const functionHandle = "#ifdef __cplusplus\ntypedef void (*$2)(struct $1*);\n#else\n$0\n#endif"

// Compose makes dir what node-gyp takes as --nodedir: the headers by links, and a config.gypi for the platform. Node's
// own says how Node was configured on the machine that built it; of that, modules need what is written here, and
// node-gyp drops the rest (its lib/create-config-gypi.js). A directory that is right stays.
func (b Build) Compose(dir string, h Headers) error {
	abi, napi, err := h.ABI()
	if err != nil {
		return err
	}
	order := "little"
	if b.Big {
		order = "big"
	}
	// llvm_version: the common.gypi of Node 18 does not load without it, and asks no more than whether it is 0.0, which
	// says that no LLVM compiles.
	variables := map[string]any{
		"host_arch": b.HostArch, "target_arch": b.Gyp, "want_separate_host_toolset": 1, "node_module_version": abi,
		"napi_build_version": strconv.Itoa(napi),
		"node_byteorder":     order, "clang": 1, "llvm_version": "19.0", "node_shared": "false", "node_use_openssl": "true",
		"node_shared_openssl": "false", "openssl_fips": "",
		"debug_node": "false", "enable_lto": "false", "asan": 0, "coverage": "false", "v8_enable_i18n_support": 1,
		"icu_gyp_path": "", "node_prefix": "/usr/local",
	}
	if b.ARM != "" {
		variables["arm_version"] = b.ARM
	}
	config, err := json.MarshalIndent(map[string]any{
		"target_defaults": map[string]any{"cflags": []string{}, "default_configuration": "Release", "defines": []string{},
			"include_dirs": []string{}, "libraries": []string{}},
		"variables": variables,
	}, "", "  ")
	if err != nil {
		return err
	}
	config = append([]byte("# made by xbuild, 4\n"), append(config, '\n')...)
	include := filepath.Join(dir, "include", "node")
	file := filepath.Join(include, "config.gypi")
	if have, err := os.ReadFile(file); err == nil && bytes.Equal(have, config) {
		if to, err := os.Readlink(filepath.Join(include, "node.h")); err == nil && to == filepath.Join(h.Dir, "node.h") {
			return nil
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(include, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(h.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		from, to := filepath.Join(h.Dir, e.Name()), filepath.Join(include, e.Name())
		if e.Name() == "config.gypi" {
			continue
		}
		var change func(text []byte) []byte
		switch {
		case e.Name() == "common.gypi":
			change = func(text []byte) []byte {
				for _, flag := range gccFlags {
					text = bytes.ReplaceAll(text, []byte(", '"+flag+"'"), nil)
				}
				return text
			}
		case e.Name() == "js_native_api_types.h" && b.Narrow:
			change = func(text []byte) []byte { return handles.ReplaceAll(text, []byte(functionHandle)) }
		default:
			if err := os.Symlink(from, to); err != nil {
				return err
			}
			continue
		}
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, change(text), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(file, config, 0o644)
}

// PrebuildName is what prebuildify 6 calls a compiled module, and node-gyp-build looks for: the package's name, "/" as
// "+", and tags. A module of Node-API has no abi: every Node loads it.
func (b Build) PrebuildName(pkg string, abi int) string {
	tags := []string{strings.ReplaceAll(pkg, "/", "+")}
	if abi > 0 {
		tags = append(tags, "abi"+strconv.Itoa(abi))
	}
	if b.ARM != "" {
		tags = append(tags, "armv"+b.ARM)
	}
	return strings.Join(append(tags, b.Libc), ".") + ".node"
}

// PrebuildDir is the directory of a platform's modules below prebuilds.
func (b Build) PrebuildDir() string { return "linux-" + b.Arch }
