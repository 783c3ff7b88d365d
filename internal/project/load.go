package project

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"xbuild/internal/platform"
	"xbuild/internal/tomlfile"
)

// maxSize bounds what is read: nobody writes a megabyte of it by hand.
const maxSize = 1 << 20

// Load reads a project's file. What is wrong with it comes as Errors, all at
// once; a file that is no TOML has one of them.
func Load(path string, schema Schema) (*Project, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// What a build reads is seen without the links on the way to it.
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return nil, err
	}
	return parse(path, dir, text, schema)
}

func read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(f, maxSize+1)); err != nil {
		return "", err
	}
	if b.Len() > maxSize {
		return "", fmt.Errorf("%s: larger than %d bytes", path, maxSize)
	}
	return b.String(), nil
}

func parse(file, dir, text string, schema Schema) (*Project, error) {
	var values map[string]any
	root, _, err := tomlfile.Decode(text, &values)
	if err != nil {
		var nested *tomlfile.NestedError
		if errors.As(err, &nested) {
			return nil, fmt.Errorf("%s:%d: %w", file, nested.Line, err)
		}
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			return nil, Errors{{File: file, Line: max(1, syntax.Position.Line), Col: syntax.Position.Col,
				Message: "not TOML: " + sentence(syntax.Message)}}
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	r := &reader{report: &report{file: file}, schema: schema, project: &Project{File: file, Dir: dir}}
	r.all(&table{report: r.report, name: "the file", values: values, pos: root})
	if len(r.report.errs) > 0 {
		return nil, r.report.errs.sorted()
	}
	return r.project, nil
}

// sentence takes the form of this package's messages: "Key" becomes "key",
// and "TOML" stays.
func sentence(message string) string {
	message = strings.TrimSuffix(message, ".")
	if len(message) > 1 && message[1] >= 'a' && message[1] <= 'z' {
		return strings.ToLower(message[:1]) + message[1:]
	}
	return message
}

// A reader fills in one project.
type reader struct {
	report  *report
	schema  Schema
	project *Project
}

func (r *reader) all(root *table) {
	p := r.project
	r.settings(section(root, "project"))
	p.Toolchains, p.CC = r.toolchains(section(root, "toolchains"))
	sysroot := section(root, "sysroot")
	p.Sysroot = r.sysroot(sysroot)
	if root.pos.Get("sysroot") != nil {
		p.SysrootLine = sysroot.pos.Key("packages").Line
	}
	if p.Sysroot.Libc == "" {
		p.Sysroot.Libc = libcs[0]
	}
	sysroot.end("want")
	configs := section(root, "platform")
	p.PlatformConfig = r.platformConfigs(configs)
	p.Mirrors = r.mirrors(section(root, "mirrors"))
	targets := section(root, "target")
	for _, name := range targets.keys() {
		if t := targets.sub(name, "[target."+quoteKey(name)+"]"); t != nil {
			p.Targets = append(p.Targets, r.target(name, t))
		}
	}
	root.end("want")
	r.baselines(configs)
	r.sameOutput(targets)
	r.needed()
}

// section is a table of the file, an empty one if it has none.
func section(root *table, key string) *table {
	if t := root.sub(key, "["+key+"]"); t != nil {
		return t
	}
	return &table{report: root.report, name: "[" + key + "]", pos: root.pos}
}

// quoteKey spells a key as TOML wants it.
func quoteKey(key string) string { return toml.Key{key}.String() }

func (r *reader) settings(t *table) {
	p := r.project
	p.Name = t.string("name", filepath.Base(p.Dir))
	if p.Name == "" {
		r.report.at(t.pos.Key("name"), "name in %s is empty", t.name)
	}
	p.Platforms = r.platforms(t, "platforms")
	if len(p.Platforms) == 0 {
		p.Platforms = []platform.Platform{platform.Host()}
	}
	p.Dist = r.folder(t, "dist", "dist")
	p.Build = r.folder(t, "build", ".xbuild")
	if p.Dist != "" && p.Dist == p.Build {
		r.report.at(t.pos.Key("build"), "build in %s is the same folder as dist", t.name)
	}
	t.end("want")
}

// folder is a folder of its own inside the project.
func (r *reader) folder(t *table, key, fallback string) string {
	dir := t.string(key, fallback)
	switch clean := filepath.Clean(dir); {
	case dir == "" || clean == ".":
		r.report.at(t.pos.Key(key), "%s in %s must be a folder of its own", key, t.name)
	case !filepath.IsLocal(dir):
		r.report.at(t.pos.Key(key), "%s %q in %s must lie inside the project's folder", key, dir, t.name)
	case hasNUL(dir):
		r.report.at(t.pos.Key(key), "%s in %s has a NUL character", key, t.name)
	default:
		return clean
	}
	return ""
}

func hasNUL(s string) bool { return strings.IndexByte(s, 0) >= 0 }

// platforms reads a list of platforms in any spelling.
func (r *reader) platforms(t *table, key string) []platform.Platform {
	var out []platform.Platform
	seen := map[string]element{}
	for _, e := range t.elements(key) {
		pl, err := platform.Parse(e.string)
		if err != nil {
			r.report.at(e.pos, "%v", err)
			continue
		}
		if before, ok := seen[pl.String()]; ok {
			r.report.at(e.pos, "platform %q is listed twice%s", e.string,
				otherSpelling(before.string, e.string, before.pos.Line))
			continue
		}
		seen[pl.String()] = e
		out = append(out, pl)
	}
	return out
}

func otherSpelling(before, now string, line int) string {
	if before == now {
		return fmt.Sprintf(" (line %d)", line)
	}
	return fmt.Sprintf(" (%q, line %d, is the same)", before, line)
}

func (r *reader) toolchains(t *table) (out map[string]ToolchainRequest, cc string) {
	out = map[string]ToolchainRequest{}
	cc, version, versioned := strings.Cut(t.string("cc", ""), "@")
	if at := t.pos.Key("cc"); cc != "" || versioned {
		if !slices.Contains(r.schema.Compilers, cc) {
			r.report.at(at, "cc %q is no compiler of C%s", cc, meant(cc, r.schema.Compilers, "want"))
			cc = ""
		}
		if err := checkConstraint(version); err != nil {
			r.report.at(at, "cc %s: %v", cc, err)
		}
		if _, twice := t.values[cc]; twice && versioned {
			r.report.at(t.pos.Key(cc), "%s in %s has its version in cc already", cc, t.name)
		} else if versioned {
			out[cc] = ToolchainRequest{Constraint: version, Line: at.Line}
		}
	}
	for _, name := range t.keys() {
		if name == "cc" {
			continue
		}
		if !slices.Contains(r.schema.Toolchains, name) {
			t.take(name)
			r.report.at(t.pos.Key(name), "toolchain %q is unknown%s", name, meant(name, r.schema.Toolchains, "want"))
			continue
		}
		request := ToolchainRequest{Line: t.pos.Key(name).Line}
		at := t.pos.Key(name)
		if _, ok := t.values[name].(map[string]any); ok {
			sub := t.sub(name, "[toolchains."+quoteKey(name)+"]")
			request.Constraint = sub.string("version", "")
			request.Source = sub.choice("source", "", slices.Concat(sources, r.schema.Sources[name]))
			at = sub.pos.Key("version")
			sub.end("want")
		} else {
			request.Constraint = t.string(name, "")
		}
		if channels := r.schema.Channels[name]; isChannel(request.Constraint, channels) {
			if request.Source == "host" || request.Source == "archive" && request.Constraint != channels[0] {
				r.report.at(at, "toolchain %s: version %q is one of its official distribution, and source is %q", name,
					request.Constraint, request.Source)
			}
		} else if err := checkConstraint(request.Constraint); err != nil {
			r.report.at(at, "toolchain %s: %v", name, err)
		}
		out[name] = request
	}
	return out, cc
}

// What these settings may be, the default first where there is one.
var (
	sources  = []string{"archive", "host"}
	libcs    = []string{"gnu", "musl"}
	stdlibs  = []string{"libstdc++", "libc++"}
	optimise = []string{"2", "0", "1", "3", "s", "z"}
)

// sysroot reads the keys that [sysroot] and [platform] share.
func (r *reader) sysroot(t *table) SysrootRequest {
	q := SysrootRequest{
		Glibc:  t.string("glibc", ""),
		Suite:  t.choice("suite", "", r.schema.Suites),
		Libc:   t.choice("libc", "", libcs),
		Stdlib: t.choice("stdlib", "", stdlibs),
	}
	if cxx := t.bool("cxx"); cxx != nil {
		q.CXX = *cxx
	}
	if _, ok := t.values["suite"]; ok && q.Glibc != "" {
		r.report.at(t.pos.Key("suite"), "%s has both glibc and suite, and each alone decides the sysroot; keep one", t.name)
	}
	if q.Glibc != "" {
		if err := checkGlibc(q.Glibc, r.schema); err != nil {
			r.report.at(t.pos.Key("glibc"), "%v", err)
		}
	}
	q.Packages = r.packages(t, "packages", "libssl-dev")
	q.HostPackages = r.packages(t, "host_packages", "libglib2.0-dev-bin")
	return q
}

// packages are names of packages: nil where the file has no such key, not nil where its list is empty.
func (r *reader) packages(t *table, key, example string) []string {
	var out []string
	for _, e := range t.elements(key) {
		if !packageName.MatchString(e.string) {
			r.report.at(e.pos, "package %q in %s is no name of a Debian package (such as %q)", e.string, t.name, example)
			continue
		}
		out = append(out, e.string)
	}
	if _, ok := t.values[key]; ok && out == nil {
		out = []string{}
	}
	return out
}

func (r *reader) platformConfigs(t *table) map[string]PlatformConfig {
	out := map[string]PlatformConfig{}
	for _, key := range t.keys() {
		sub := t.sub(key, "[platform."+quoteKey(key)+"]")
		if sub == nil {
			continue
		}
		c := PlatformConfig{
			CPU:      sub.string("cpu", ""),
			Features: sub.strings("features"),
			CFlags:   sub.strings("cflags"),
			CXXFlags: sub.strings("cxxflags"),
			LDFlags:  sub.strings("ldflags"),
			Env:      r.env(sub),
			CC:       sub.choice("cc", "", r.schema.Compilers),
			Sysroot:  r.sysroot(sub),
			Line:     sub.pos.Line,
		}
		page, paged := sub.int("page")
		sub.end("want")
		pl, err := platform.Parse(key)
		if err != nil {
			r.report.at(sub.pos, "%v", err)
			continue
		}
		if before, ok := out[pl.String()]; ok {
			r.report.at(sub.pos, "platform %q has two tables (line %d is the other)", pl.String(), before.Line)
			continue
		}
		if paged {
			if cut, ok := pl.WithPage(int(page) << 10); ok {
				c.Page = cut.Page()
			} else {
				r.report.at(sub.pos.Key("page"), "page in %s: no kernel for %s has pages of %d KB%s", sub.name, pl, page,
					kilobytes(pl.Pages))
			}
		}
		out[pl.String()] = c
	}
	return out
}

// kilobytes lists sizes of pages for an error.
func kilobytes(sizes []int) string {
	if len(sizes) == 0 {
		return ": xbuild knows none of it"
	}
	var out []string
	for _, s := range sizes {
		out = append(out, strconv.Itoa(s>>10))
	}
	return " (want " + strings.Join(out, ", ") + ")"
}

func (r *reader) mirrors(t *table) map[string][]string {
	archives := r.schema.Archives
	if len(archives) == 0 {
		archives = []string{"debian"}
	}
	out := map[string][]string{}
	for _, name := range t.keys() {
		if !slices.Contains(archives, name) {
			t.take(name)
			r.report.at(t.pos.Key(name), "archive %q is unknown%s", name, meant(name, archives, "want"))
			continue
		}
		var urls []element
		if s, ok := t.values[name].(string); ok {
			urls = []element{{s, t.pos.Key(name)}}
		} else {
			urls = t.elements(name)
		}
		for _, u := range urls {
			if err := checkMirror(u.string); err != nil {
				r.report.at(u.pos, "mirror %q of %s %v", u.string, name, err)
			}
		}
		out[name] = plain(urls)
	}
	return out
}

// env reads a table of environment variables.
func (r *reader) env(t *table) map[string]string {
	vars := t.stringMap("env")
	pos := t.pos.Key("env")
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if !envName.MatchString(name) {
			r.report.at(pos.Key(name), "%q in %s is no name of an environment variable (letters, digits and _, not a digit first)", name, t.name)
		} else if hasNUL(vars[name]) {
			r.report.at(pos.Key(name), "%s in %s has a NUL character, which no environment variable can hold", name, t.name)
		}
	}
	return vars
}
