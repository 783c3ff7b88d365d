package project

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/platform"
	"xbuild/internal/spelling"
	"xbuild/internal/tomlfile"
)

func (r *reader) target(name string, t *table) Target {
	before := len(r.report.errs)
	if !targetName.MatchString(name) {
		r.report.at(t.pos, "target name %q may have only letters, digits and _ . + -, and starts with a letter, a digit or _",
			name)
	}
	out := Target{
		Name:       name,
		Recipe:     t.string("recipe", ""),
		Source:     r.source(t),
		Platforms:  r.platforms(t, "platforms"),
		Env:        r.env(t),
		Static:     t.bool("static"),
		Lenient:    t.bool("lenient"),
		Stdlib:     t.choice("stdlib", "", stdlibs),
		Opt:        t.choice("opt", "", optimise),
		CC:         t.choice("cc", "", r.schema.Compilers),
		Uname:      t.choice("uname", "", []string{"host", "platform"}),
		Outputs:    r.outputs(t),
		Dest:       r.dest(t),
		Inputs:     r.globs(t, "inputs"),
		External:   r.fileNames(t, "external"),
		Dispatched: r.functionGlobs(t, "dispatched"),
		Unaudited:  r.globs(t, "unaudited"),
		Tools:      r.tools(t, "tools"),
		HostTools:  r.programs(t, "host_tools"),
		Test:       r.test(t),
		Bench:      r.bench(t),
		Needs:      r.needs(t),
		Headers:    r.directories(t, "headers"),
		Line:       t.pos.Line,
	}
	out.HostPackages = r.hostPackages(t)
	if strip := t.bool("strip"); strip != nil {
		out.Strip = *strip
	}
	if equal := t.bool("equal"); equal != nil {
		out.Equal = *equal
		if out.Equal && out.Test.Off {
			r.report.at(t.pos.Key("equal"), "equal in %s compares what the test prints, and test is false", t.name)
		}
	}
	out.Only = len(out.Platforms) > 0
	if !out.Only {
		out.Platforms = slices.Clone(r.project.Platforms)
	}
	recipes := slices.Collect(maps.Keys(r.schema.Recipes))
	options, ok := r.schema.Recipes[out.Recipe]
	if !ok {
		// Which other keys are right, only the recipe knows.
		if v, given := t.values["recipe"]; !given {
			for _, key := range slices.Sorted(maps.Keys(t.values)) {
				if !slices.Contains(t.known, key) && spelling.Nearest(key, []string{"recipe"}) != "" {
					r.report.at(t.pos.Key(key), "unknown key %q in %s; did you mean \"recipe\"?", key, t.name)
				}
			}
			r.report.at(t.pos, "target %q has no recipe%s", name, meant("", recipes, "want"))
		} else if _, isString := v.(string); isString {
			r.report.at(t.pos.Key("recipe"), "recipe %q is unknown%s", out.Recipe, meant(out.Recipe, recipes, "want"))
		}
		return out
	}
	out.Options = map[string]any{}
	for _, o := range options {
		if v := r.option(t, o, out.Recipe); v != nil {
			out.Options[o.Name] = v
		}
	}
	own := t.sub("platform", strings.TrimSuffix(t.name, "]")+".platform]")
	t.end("recipe " + out.Recipe + " allows")
	if own != nil && len(r.report.errs) == before { // else each table would say again what is wrong with the target
		out.variants = r.variants(out, t, own)
	}
	return out
}

// source is the folder of a target's source. It may lie beside the project:
// only what is built must not.
func (r *reader) source(t *table) string {
	source := t.string("source", ".")
	pos := t.pos.Key("source")
	if source == "" || filepath.IsAbs(source) || hasNUL(source) {
		r.report.at(pos, "source %q in %s must be relative to the folder of %s", source, t.name, FileName)
		return ""
	}
	clean := filepath.Clean(source)
	info, err := os.Stat(filepath.Join(r.project.Dir, clean))
	switch {
	case err == nil && !info.IsDir():
		r.report.at(pos, "source %q in %s is not a folder", source, t.name)
	case errors.Is(err, fs.ErrNotExist):
		r.report.at(pos, "source %q in %s does not exist", source, t.name)
	case err != nil:
		r.report.at(pos, "source %q in %s: %v", source, t.name, cause(err))
	}
	return clean
}

// dest is a folder below dist/<platform>/.
func (r *reader) dest(t *table) string {
	dest := t.string("dest", "")
	if dest == "" {
		return ""
	}
	if !filepath.IsLocal(dest) || hasNUL(dest) {
		r.report.at(t.pos.Key("dest"), "dest %q in %s must lie inside dist/<platform>", dest, t.name)
		return ""
	}
	if clean := filepath.Clean(dest); clean != "." {
		return clean
	}
	return ""
}

// outputs are a list of globs, or a table of dist path = built path.
func (r *reader) outputs(t *table) []Output {
	var out []Output
	if _, ok := t.values["outputs"].(map[string]any); ok {
		files := t.stringMap("outputs")
		pos := t.pos.Key("outputs")
		for _, dist := range slices.Sorted(maps.Keys(files)) {
			built := files[dist]
			if !insideFile(dist) {
				r.report.at(pos.Key(dist), "outputs in %s: %q must be a file inside dist/<platform>", t.name, dist)
			}
			if !insideFile(built) {
				r.report.at(pos.Key(dist), "outputs in %s: %q must be a file inside the build directory", t.name, built)
			}
			out = append(out, Output{Path: filepath.Clean(built), Dist: filepath.Clean(dist)})
		}
		return out
	}
	for _, e := range t.elements("outputs") {
		if !insideFile(e.string) {
			r.report.at(e.pos, "outputs in %s: %q must be a file inside the build directory", t.name, e.string)
		} else if !doublestar.ValidatePattern(e.string) {
			r.report.at(e.pos, "outputs in %s: %q is not a glob", t.name, e.string)
		}
		out = append(out, Output{Path: e.string})
	}
	return out
}

// test is a program with its arguments, a command line, or whether to test at all.
func (r *reader) test(t *table) Test {
	pos := t.pos.Key("test")
	switch v := t.values["test"].(type) {
	case bool:
		t.take("test")
		return Test{On: v, Off: !v}
	case string:
		t.take("test")
		if strings.TrimSpace(v) == "" || hasNUL(v) {
			r.report.at(pos, "test in %s is no command line", t.name)
		}
		return Test{Shell: v}
	case nil, []any:
	default:
		t.take("test")
		t.wrong("test", pos, "a list of strings, a string, true or false", v)
		return Test{}
	}
	command := t.elements("test")
	if _, given := t.values["test"]; !given {
		return Test{}
	}
	switch {
	case len(command) == 0:
		r.report.at(pos, "test in %s is empty; test = false leaves the target out", t.name)
		return Test{}
	case !insideFile(command[0].string):
		r.report.at(command[0].pos, "test in %s: %q must be a program of the target, as it lies in dist/<platform>; other commands are given as one string, for the shell", t.name, command[0].string)
	}
	return Test{Command: plain(command)}
}

// insideFile tells a path that stays inside and is more than the folder itself.
func insideFile(path string) bool {
	return filepath.IsLocal(path) && filepath.Clean(path) != "." && !strings.HasSuffix(path, "/") && !hasNUL(path)
}

// bench is a program of the target with its arguments.
func (r *reader) bench(t *table) []string {
	command := t.elements("bench")
	if _, given := t.values["bench"].([]any); !given {
		return nil
	}
	switch {
	case len(command) == 0:
		r.report.at(t.pos.Key("bench"), "bench in %s is empty: it names a program of the target, as it lies in dist/<platform>, and its arguments", t.name)
		return nil
	case !insideFile(command[0].string):
		r.report.at(command[0].pos, "bench in %s: %q must be a program of the target, as it lies in dist/<platform>",
			t.name, command[0].string)
	}
	for _, word := range command {
		if hasNUL(word.string) {
			r.report.at(word.pos, "bench in %s: a word has a zero byte", t.name)
		}
	}
	return plain(command)
}

func (r *reader) globs(t *table, key string) []string {
	list := t.elements(key)
	for _, e := range list {
		switch {
		case e.string == "" || filepath.IsAbs(e.string) || hasNUL(e.string):
			r.report.at(e.pos, "%s in %s: %q must be a relative path", key, t.name, e.string)
		case !doublestar.ValidatePattern(e.string):
			r.report.at(e.pos, "%s in %s: %q is not a glob", key, t.name, e.string)
		}
	}
	return plain(list)
}

// fileNames are names without a folder.
func (r *reader) fileNames(t *table, key string) []string {
	list := t.elements(key)
	for _, e := range list {
		if e.string == "" || strings.ContainsAny(e.string, "/\x00") {
			r.report.at(e.pos, "%s in %s: %q is no file name (such as %q)", key, t.name, e.string, "libcuda.so.1")
		}
	}
	return plain(list)
}

// tools are names of toolchains.
func (r *reader) tools(t *table, key string) []string {
	list := t.elements(key)
	for _, e := range list {
		if !slices.Contains(r.schema.Toolchains, e.string) {
			r.report.at(e.pos, "%s in %s: xbuild has no toolchain %q%s", key, t.name, e.string,
				meant(e.string, r.schema.Toolchains, "there are"))
		}
	}
	return plain(list)
}

// programs are names of programs, or globs of them.
func (r *reader) programs(t *table, key string) []string {
	list := t.elements(key)
	for _, e := range list {
		if _, err := path.Match(e.string, "x"); e.string == "" || strings.ContainsAny(e.string, "/\x00") || err != nil {
			r.report.at(e.pos, "%s in %s: %q is no program's name (such as %q, or %q)", key, t.name, e.string,
				"xsltproc", "glib-*")
		}
	}
	return plain(list)
}

// hostPackages are packages whose programs the build runs. What is compiled for the host is compiled alike in all
// targets of a platform, and so is what it links with.
func (r *reader) hostPackages(t *table) []string {
	names := r.packages(t, "host_packages", "libglib2.0-dev-bin")
	for _, name := range names {
		if strings.HasSuffix(name, "-dev") {
			r.report.at(t.pos.Key("host_packages"), "host_packages in %s: %q is a library, with which programs for the host "+
				"are linked: name it in host_packages of [sysroot]", t.name, name)
		}
	}
	return names
}

// functionGlobs are names of functions, in which * stands for anything. One that fits all would end the audit.
func (r *reader) functionGlobs(t *table, key string) []string {
	list := t.elements(key)
	for _, e := range list {
		if strings.Trim(e.string, "*") == "" || hasNUL(e.string) {
			r.report.at(e.pos, "%s in %s: %q names no function (such as %q, where * stands for anything)", key, t.name,
				e.string, "crc32_*_pclmul")
		}
	}
	return plain(list)
}

// option reads what a recipe declares, as the type that it declares: string,
// bool, int64, []string or map[string]string. It is nil without a default.
func (r *reader) option(t *table, o Option, recipe string) any {
	if _, ok := t.values[o.Name]; !ok {
		t.take(o.Name)
		if o.Required {
			r.report.at(t.pos, "%s lacks %q, which recipe %s needs: %s", t.name, o.Name, recipe, o.Help)
		}
		return optionDefault(o)
	}
	switch o.Type {
	case "string":
		s := t.string(o.Name, "")
		if _, ok := t.values[o.Name].(string); ok {
			r.chosen(t, o, element{s, t.pos.Key(o.Name)})
		}
		return s
	case "bool":
		if b := t.bool(o.Name); b != nil {
			return *b
		}
	case "int":
		if i, ok := t.int(o.Name); ok {
			return i
		}
	case "strings":
		list := t.elements(o.Name)
		for _, e := range list {
			r.chosen(t, o, e)
		}
		return plain(list)
	case "table":
		return t.stringMap(o.Name)
	default:
		t.take(o.Name)
		r.report.at(t.pos.Key(o.Name), "recipe %s declares %s with the unknown type %q", recipe, o.Name, o.Type)
	}
	return nil
}

func (r *reader) chosen(t *table, o Option, e element) {
	if len(o.Choices) > 0 && !slices.Contains(o.Choices, e.string) {
		r.report.at(e.pos, "%s in %s cannot be %q%s", o.Name, t.name, e.string, meant(e.string, o.Choices, "want"))
	}
}

// optionDefault is a copy of a default as the option's type; what decodes
// definitions has lists as []any.
func optionDefault(o Option) any {
	switch v := o.Default.(type) {
	case []any:
		list := make([]string, 0, len(v))
		for _, x := range v {
			list = append(list, fmt.Sprint(x))
		}
		return list
	case []string:
		return slices.Clone(v)
	case map[string]any:
		m := make(map[string]string, len(v))
		for k, x := range v {
			m[k] = fmt.Sprint(x)
		}
		return m
	case map[string]string:
		return maps.Clone(v)
	case int:
		return int64(v)
	}
	return o.Default
}

// baselines checks cpu and features of every platform in use.
func (r *reader) baselines(configs *table) {
	checked := map[string]bool{} // whether it was right
	tables := map[string]*tomlfile.Node{}
	check := func(pl platform.Platform, pos *tomlfile.Node) {
		if _, done := checked[pl.String()]; done {
			return
		}
		c := r.project.Config(pl)
		checked[pl.String()] = true
		if c.CPU == "" && len(c.Features) == 0 {
			return
		}
		if _, err := pl.Baseline(c.CPU, c.Features); err != nil {
			checked[pl.String()] = false
			r.baseline(pl, c, err, pos)
		}
	}
	for _, key := range configs.keys() {
		if pl, err := platform.Parse(key); err == nil {
			tables[pl.String()] = configs.pos.Key(key)
			check(pl, configs.pos.Key(key))
		}
	}
	// A platform without a table of its own may have its base's settings.
	inherit := func(pl platform.Platform) {
		base := configNames(pl)[0]
		if pos, ok := tables[base]; ok && checked[base] {
			check(pl, pos)
		}
	}
	for _, pl := range r.project.Platforms {
		inherit(pl)
	}
	for _, t := range r.project.Targets {
		for _, pl := range t.Platforms {
			inherit(pl)
		}
	}
}

// baseline reports what Baseline refuses at the setting that it is about.
func (r *reader) baseline(pl platform.Platform, c PlatformConfig, err error, pos *tomlfile.Node) {
	if _, cpuErr := pl.Baseline(c.CPU, nil); c.CPU != "" && cpuErr != nil {
		r.report.at(pos.Key("cpu"), "%v", cpuErr)
		return
	}
	found := false
	for i, f := range c.Features {
		if _, featureErr := pl.Baseline(c.CPU, []string{f}); featureErr != nil {
			r.report.at(pos.Key("features").Item(i), "%v", featureErr)
			found = true
		}
	}
	if !found {
		r.report.at(pos, "%v", err)
	}
}

// sameOutput reports two targets that would write the same file.
func (r *reader) sameOutput(targets *table) {
	type place struct{ platform, path string }
	first := map[place]Target{}
	for _, t := range r.project.Targets {
		reported := map[string]bool{}
		for _, pl := range t.Platforms {
			t := t.For(pl)
			for _, o := range t.Outputs {
				path := o.Dist
				if path == "" {
					if strings.ContainsAny(o.Path, `*?[{\`) {
						continue // only the build knows what it will match
					}
					path = filepath.Base(o.Path)
				}
				path = filepath.Join(t.Dest, path)
				at := place{pl.String(), path}
				if before, ok := first[at]; ok && !reported[path] {
					reported[path] = true
					r.report.at(targets.pos.Key(t.Name).Key("outputs"),
						"target %q and target %q (line %d) both make %s for %s; give one of them another dest", t.Name, before.Name,
						before.Line, path, pl)
					continue
				}
				first[at] = t
			}
		}
	}
}

// cause is an error without the path that it repeats.
func cause(err error) error {
	if pathErr, ok := err.(*fs.PathError); ok {
		return pathErr.Err
	}
	return err
}
