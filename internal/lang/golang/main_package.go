package golang

import (
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/catalog"
	"xbuild/internal/hint"
	"xbuild/internal/project"
	"xbuild/internal/toolset"
)

// vars takes the main package of the target's name where the source's own directory has none, as most modules with
// more than one program keep them (go.dev/doc/modules/layout).
func vars(ts *toolset.Tools, t project.Target, vars catalog.Vars) {
	if vars["package"] == "." {
		vars["package"], _ = mainPackage(filepath.Join(ts.Project.Dir, filepath.FromSlash(t.Source)), t.Name)
	}
}

// ask refuses a source with several programs of which none is chosen: go build makes of a package that is no program
// what nobody can run, and says nothing.
func ask(ts *toolset.Tools, t project.Target) error {
	if several, _ := t.Options["packages"].([]string); len(several) > 0 || t.Options["package"] != "." {
		return nil
	}
	_, choice := mainPackage(filepath.Join(ts.Project.Dir, filepath.FromSlash(t.Source)), t.Name)
	if len(choice) == 0 {
		return nil
	}
	return hint.Add(fmt.Errorf("the source's own directory has no main package, and there are %s", strings.Join(choice, ", ")),
		"write package = %q in [target.%s], or packages = […] for several of them", choice[0], t.Name)
}

// others are folders with packages that are none of the module's programs.
var others = []string{"testdata", "vendor", "node_modules"}

// mainPackage is the main package in or below a directory, as go build takes it: that of the directory; that of a name,
// in cmd or beside it; the only one in cmd; the only one at all. It is "." where there is none, and where there are
// several, which are the choice then.
func mainPackage(dir, name string) (pkg string, choice []string) {
	if what, err := packageName(dir); what == "main" || err != nil {
		return ".", nil
	}
	for _, sub := range []string{"cmd/" + name, name} {
		if what, _ := packageName(filepath.Join(dir, filepath.FromSlash(sub))); what == "main" {
			return "./" + sub, nil
		}
	}
	var all, inCmd []string
	_ = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || file == dir {
			return nil
		}
		n := d.Name()
		if strings.HasPrefix(n, ".") || strings.HasPrefix(n, "_") || slices.Contains(others, n) || isModule(file) {
			return filepath.SkipDir
		}
		if what, _ := packageName(file); what == "main" {
			rel, _ := filepath.Rel(dir, file)
			all = append(all, "./"+filepath.ToSlash(rel))
		}
		return nil
	})
	for _, p := range all {
		if path.Dir(p) == "cmd" || p == "./cmd" {
			inCmd = append(inCmd, p)
		}
	}
	for _, list := range [][]string{inCmd, all} {
		if len(list) == 1 {
			return list[0], nil
		}
	}
	if len(inCmd) > 0 {
		return ".", inCmd
	}
	return ".", all
}

// packageName is the name of the package in a directory, "" where there is none. An error is one that go build tells.
func packageName(dir string) (string, error) {
	c := build.Default
	c.CgoEnabled = true
	pkg, err := c.ImportDir(dir, 0)
	var none *build.NoGoError
	if errors.As(err, &none) || errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return pkg.Name, err
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}
