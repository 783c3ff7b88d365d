package plan

import (
	"path/filepath"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/catalog"
	"xbuild/internal/env"
	"xbuild/internal/node"
	"xbuild/internal/project"
)

// tests are the steps that test an action's target, once it is built: the target's own command, or the recipe's. A
// program of the platform is started through "xbuild run", which finds platform, project and store in the environment,
// wherever the test goes.
func (pl *Planner) tests(recipe *catalog.Recipe, t project.Target, vars catalog.Vars, m *making) ([]action.Step, error) {
	a := m.a
	dir := a.Source
	if a.Copy {
		dir = a.Build
	}
	var list []action.Step
	test := t.Test
	switch {
	case test.Off:
		return nil, nil
	case len(test.Command) > 0:
		program := filepath.Join(a.Dist, filepath.FromSlash(test.Command[0]))
		list = []action.Step{{Name: strings.Join(test.Command, " "), Dir: dir, Command: append([]string{pl.XBuild, "run", "-p", a.OCI, "--", program}, test.Command[1:]...)}}
	case test.Shell != "":
		list = []action.Step{{Name: test.Shell, Dir: dir, Command: []string{"sh", "-ec", test.Shell}}}
	default:
		var err error
		if list, err = steps(recipe.Tests, vars, a); err != nil {
			return nil, err
		}
	}
	if len(recipe.Tests) == 1 && recipe.Tests[0].Node && len(test.Command) == 0 {
		if test.Shell == "" && !npmTests(a.Source) {
			return nil, nil
		}
		var err error
		if list, err = pl.nodeTests(list, t, vars, m); err != nil {
			return nil, err
		}
	}
	for i, s := range list {
		list[i].Env = env.Environment{
			{Name: "XBUILD_PLATFORM", Value: a.OCI}, {Name: "XBUILD_PROJECT", Value: pl.Project.Dir}, {Name: "XBUILD_STORE", Value: pl.Store}, {Name: "XBUILD_DIST", Value: a.Dist},
		}.Merge(s.Env)
	}
	return list, nil
}

// nodeTests are the tests of native modules: each once for every version of Node that the target names, in the
// platform's own.
func (pl *Planner) nodeTests(list []action.Step, t project.Target, vars catalog.Vars, m *making) ([]action.Step, error) {
	build, err := pl.nodeBuild(m.a, t, m.p, vars, m.headers, m.cargo)
	if err != nil {
		return nil, err
	}
	var out []action.Step
	for i, v := range vars["node"].([]string) {
		major, _, _ := strings.Cut(m.headers[i].Version, ".")
		for _, s := range list {
			s.Node, s.In = build, &action.NodeTest{Range: v, Major: major, Headers: m.headers[i]}
			out = append(out, s)
		}
	}
	return out, nil
}

// npmTests tells whether npm has anything to run as the test of the package in a directory. npm init writes a script
// that fails where it is told of none.
func npmTests(dir string) bool {
	p, err := node.Read(dir)
	return err == nil && p.Scripts["test"] != "" && !strings.Contains(p.Scripts["test"], "no test specified") // the build says what is wrong with package.json
}
