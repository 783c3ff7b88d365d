package plan

import (
	"path/filepath"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/catalog"
	"xbuild/internal/env"
	"xbuild/internal/lang/table"
	"xbuild/internal/project"
)

// tests are the steps that test an action's target, once it is built: the target's own command, or the recipe's. A
// program of the platform is started through "xbuild run", which finds platform, project and store in the environment,
// wherever the test goes.
func (pl *Planner) tests(recipe *catalog.Recipe, t project.Target, vars catalog.Vars,
	m *making) ([]action.Step, error) {
	a := m.Action
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
		list = []action.Step{{Name: strings.Join(test.Command, " "), Dir: dir,
			Command: append([]string{pl.XBuild, "run", "-p", a.OCI, "--", program}, test.Command[1:]...)}}
	case test.Shell != "":
		list = []action.Step{{Name: test.Shell, Dir: dir, Command: []string{"sh", "-ec", test.Shell}}}
	default:
		var err error
		if list, err = steps(recipe.Tests, vars, a); err != nil {
			return nil, err
		}
	}
	if l := table.Of(recipe.Language); l.Tests != nil && len(test.Command) == 0 {
		var err error
		if list, err = l.Tests(m.Making, list, test.Shell != ""); err != nil {
			return nil, err
		}
	}
	for i, s := range list {
		list[i].Env = env.Environment{
			{Name: "XBUILD_PLATFORM", Value: a.OCI}, {Name: "XBUILD_PROJECT", Value: pl.Project.Dir},
			{Name: "XBUILD_STORE", Value: pl.Store}, {Name: "XBUILD_DIST", Value: a.Dist},
		}.Merge(s.Env)
	}
	return list, nil
}
