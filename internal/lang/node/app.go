package node

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/action"
	"xbuild/internal/hint"
	"xbuild/internal/inspect"
	"xbuild/internal/node"
)

// listed tells whether one of the globs names the package.
func listed(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool {
		ok, err := doublestar.Match(g, name)
		return ok && err == nil
	})
}

// names tells whether a glob names a package that is installed, or one that is where the platform is another.
func names(glob string, packages []node.Package, elsewhere map[string]bool) bool {
	for name := range elsewhere {
		if listed([]string{glob}, name) {
			return true
		}
	}
	return slices.ContainsFunc(packages, func(p node.Package) bool { return listed([]string{glob}, p.Name) })
}

// app compiles every native module of an application and lays it out.
func (n *nodeRun) app(root node.Package) error {
	if rel, err := filepath.Rel(n.Dist, filepath.Join(n.a.Source, root.Main)); root.Main != "" && err == nil &&
		filepath.IsLocal(rel) {
		return hint.Add(fmt.Errorf("package.json's main, %s, lies in the folder of xbuild's results, which is no part of the "+
			"application", root.Main),
			"name another folder for the results: dist = \"out\" in [project] of xbuild.toml")
	}
	packages, links, err := n.packages(root)
	if err != nil {
		return err
	}
	elsewhere, err := n.elsewhere(packages)
	if err != nil {
		return err
	}
	for _, list := range []struct {
		option string
		globs  []string
	}{{"scripts", n.b.Scripts}, {"skip", n.b.Skip}} {
		for _, g := range list.globs {
			if !names(g, packages, elsewhere) {
				return fmt.Errorf("%s: %s names %q, and no such package is installed", n.b.Where, list.option, g)
			}
		}
	}
	n.leave(packages)
	if err := n.survey(packages); err != nil {
		return err
	}
	h := n.b.Headers[0]
	for _, p := range append(packages, root) {
		switch {
		case listed(n.left, p.Name):
		case listed(n.b.Scripts, p.Name):
			if err := n.scripts(p, h); err != nil {
				return err
			}
			n.made[p.Dir] = []string{}
		case listed(n.b.Prebuilt, p.Name):
		case p.Tool() != "":
			found, err := n.build(p, h, false)
			if err != nil {
				return err
			}
			n.made[p.Dir] = found
		}
	}
	return n.layout(root, packages, links)
}

// leave notes which packages are not wanted: those that skip names, and those that hold for one platform what is
// compiled here. lmdb's sources are in lmdb, and its prebuilds in @lmdb/lmdb-linux-x64 and the like, which npm installs
// as optional dependencies; their names begin with that of the package. Those that prebuilt names stay.
func (n *nodeRun) leave(packages []node.Package) {
	n.left = slices.Clone(n.b.Skip)
	for _, p := range packages {
		if p.Tool() == "" || listed(n.b.Prebuilt, p.Name) || listed(n.b.Skip, p.Name) || listed(n.b.Scripts, p.Name) {
			continue
		}
		for _, o := range packages {
			_, optional := p.Optional[o.Name]
			single := optional && len(o.OS) > 0 && len(o.CPU) > 0 && o.Tool() == ""
			named := strings.HasPrefix(path.Base(o.Name), path.Base(p.Name)+"-")
			if single && named && !listed(n.b.Prebuilt, o.Name) {
				n.left = append(n.left, o.Name)
			}
		}
	}
}

// survey looks for what will be amiss with packages that are not compiled, before others are, which takes its time:
// compiled files that nobody answers for, and packages that want one and have none.
func (n *nodeRun) survey(packages []node.Package) error {
	compiled := map[string]int{} // by package directory
	var loose, globs []string
	for _, p := range packages {
		taken := listed(n.b.Prebuilt, p.Name)
		switch {
		case listed(n.left, p.Name):
			continue
		case p.Tool() != "" && !taken || listed(n.b.Scripts, p.Name):
			compiled[p.Dir]++
			continue
		}
		first, fit, err := n.compiledFiles(p)
		if err != nil {
			return err
		}
		compiled[p.Dir] += fit
		if taken || first == "" {
			continue
		}
		rel, err := filepath.Rel(n.top(), first)
		if err != nil {
			return err
		}
		if compiled[p.Dir] == 0 { // prebuilt would take nothing
			return n.noneFits(p, rel)
		}
		loose = append(loose, fmt.Sprintf("%s %s (%s)", p.Name, p.Version, rel))
		if g := fmt.Sprintf("%q", globOf(p.Name)); !slices.Contains(globs, g) {
			globs = append(globs, g)
		}
	}
	if len(loose) > 0 {
		list := strings.Join(globs, ", ")
		return hint.Add(fmt.Errorf("compiled files without sources that node-gyp or cmake-js builds are in %s",
			strings.Join(loose, ", ")),
			"prebuilt = [%s] in %s takes such files as npm has them; skip = [%s] leaves them away", list, n.b.Where, list)
	}
	return n.complete(packages, compiled)
}

// compiledFiles are how many compiled files a package brings that are for the platform, and the first of any.
func (n *nodeRun) compiledFiles(p node.Package) (first string, fit int, err error) {
	err = filepath.WalkDir(p.Dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "node_modules":
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		kind, err := compiledKind(n.a, path)
		if err == nil && (kind == native || kind == foreign) && first == "" {
			first = path
		}
		if kind == native {
			fit++
		}
		return err
	})
	return first, fit, err
}

// noneFits is the error of a package whose compiled files are for other platforms; rel is the first of them.
func (n *nodeRun) noneFits(p node.Package, rel string) error {
	way := fmt.Sprintf("skip = [%q] in %s installs it without; platforms = […] there leaves the platform out",
		p.Name, n.b.Where)
	if p.Script() != "" {
		way = fmt.Sprintf("scripts = [%q] in %s runs its install script (%s), which may build or fetch one; ",
			p.Name, n.b.Where, p.Script()) + way
	}
	return hint.Add(fmt.Errorf("%s %s has no sources that node-gyp or cmake-js builds, and of its compiled files (%s and "+
		"others) none is for %s", p.Name, p.Version, rel, n.a.OCI),
		"%s", way)
}

// globOf names a package, with those of its scope: what is for other platforms lies there too.
func globOf(name string) string {
	if scope, _, ok := strings.Cut(name, "/"); ok {
		return scope + "/*"
	}
	return name
}

// complete looks for packages that want a compiled file and got none.
func (n *nodeRun) complete(packages []node.Package, compiled map[string]int) error {
	alternatives, err := n.elsewhere(packages)
	if err != nil {
		return err
	}
	installed := map[string]bool{}
	for _, p := range packages {
		installed[p.Name] = true
	}
	var silent []node.Package
	for _, p := range packages {
		if listed(n.left, p.Name) || compiled[p.Dir] > 0 {
			continue
		}
		var those []string
		for name := range p.Optional {
			if alternatives[name] {
				those = append(those, name)
			}
		}
		slices.Sort(those)
		if err := n.lacks(p, those, installed); err != nil {
			return err
		}
		if n.silent(p, those, installed) {
			silent = append(silent, p)
		}
	}
	return notRun(silent, n.b.Where)
}

// lacks is the error of a package that has no compiled file and can get none; those are the packages that have its
// compiled files for single platforms.
func (n *nodeRun) lacks(p node.Package, those []string, installed map[string]bool) error {
	what := p.Name + " " + p.Version
	switch {
	case len(those) > 1 && !slices.ContainsFunc(those, func(name string) bool { return installed[name] }):
		return hint.Add(fmt.Errorf("%s has its compiled files in packages for single platforms (%s and others), and there is "+
			"none for %s", what, those[0], n.a.OCI),
			"skip = [%q] in %s installs it without", p.Name, n.b.Where)
	case len(those) == 0 && listed(n.b.Prebuilt, p.Name) && p.Native():
		return hint.Add(fmt.Errorf("%s is to be taken as it is compiled (prebuilt), and npm's package has nothing for %s",
			what, n.a.OCI),
			"skip = [%q] in %s installs it without", p.Name, n.b.Where)
	case len(those) == 0 && p.Tool() == "" && p.Native() && p.Script() != "":
		return hint.Add(fmt.Errorf("%s brings neither sources to compile nor a compiled file; its install script (%s), which "+
			"would fetch one, was not run", what, p.Script()),
			"scripts = [%q] in %s runs it, skip = [%q] installs it without", p.Name, n.b.Where, p.Name)
	}
	return nil
}

// silent tells whether a package has an install script that nobody runs, and that may make or fetch what it needs. What
// is skipped of its compiled packages leaves it to its own script, as if it had none (sharp, from source).
func (n *nodeRun) silent(p node.Package, those []string, installed map[string]bool) bool {
	with := slices.ContainsFunc(those, func(name string) bool { return installed[name] && !listed(n.left, name) })
	return !with && p.Tool() == "" && p.Script() != "" && !p.Needless() &&
		!listed(n.b.Prebuilt, p.Name) && !listed(n.b.Scripts, p.Name)
}

// notRun is the error about install scripts that were not run, and that may make or fetch what the packages need. It
// names all at once, so that nobody builds once for each. Packages of one name are told once.
func notRun(packages []node.Package, where string) error {
	var names, lines []string
	for _, p := range packages {
		if name := strconv.Quote(p.Name); !slices.Contains(names, name) {
			names = append(names, name)
			lines = append(lines, fmt.Sprintf("  %s %s: %s", p.Name, p.Version, p.Script()))
		}
	}
	if len(names) == 0 {
		return nil
	}
	list := strings.Join(names, ", ")
	return hint.Add(fmt.Errorf("install scripts were not run, and what they make or fetch is missing from the "+
		"application:\n%s", strings.Join(lines, "\n")),
		"scripts = [%s] in %s runs them, network included; skip = [%s] says that the application "+
			"does without", list, where, list)
}

// platformPackages are the packages of package-lock.json that npm installs on some platforms only (npm help
// package-lock.json, "packages").
func platformPackages(dir string) (map[string]bool, error) {
	var doc struct {
		Packages map[string]struct {
			OS       json.RawMessage `json:"os"`
			CPU      json.RawMessage `json:"cpu"`
			Optional bool            `json:"optional"`
		} `json:"packages"`
	}
	for _, name := range []string{"npm-shrinkwrap.json", "package-lock.json"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &doc); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		break
	}
	out := map[string]bool{}
	for path, p := range doc.Packages {
		if i := strings.LastIndex(path, "node_modules/"); i >= 0 && p.Optional && (p.OS != nil || p.CPU != nil) {
			out[path[i+len("node_modules/"):]] = true
		}
	}
	return out, nil
}

type fileKind int

const (
	notCompiled fileKind = iota
	native
	foreign     // of another machine
	otherSystem // a program of Windows or macOS
)

// compiledKind tells by its first bytes whether a file is a program or a library, and whether it is for the platform's
// machine.
func compiledKind(a *action.Action, path string) (fileKind, error) {
	f, err := os.Open(path)
	if err != nil {
		return notCompiled, err
	}
	defer f.Close()
	head := make([]byte, 4)
	if k, err := io.ReadFull(f, head); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return notCompiled, err
	} else if k < 4 || string(head) != elf.ELFMAG {
		if filepath.Ext(path) == ".node" {
			return foreign, nil
		}
		others := []string{inspect.PE, inspect.MachO, inspect.Fat}
		if r, err := inspect.File(path); err == nil && slices.Contains(others, r.Format) {
			return otherSystem, nil
		}
		return notCompiled, nil
	}
	r, err := inspect.File(path)
	p := a.Platform
	// one that is laid out for small pages is the platform's all the same, and is not left out but refused when it is put
	// into dist
	p.Pages = nil
	if err != nil || len(inspect.Errors(inspect.Check(r, p, inspect.Limits{}))) > 0 {
		return foreign, nil
	}
	return native, nil
}
