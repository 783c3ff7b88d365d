package plan

import (
	"path/filepath"
	"strings"

	"xbuild/internal/catalog"
	"xbuild/internal/env"
	"xbuild/internal/project"
)

// tests are the steps that test an action's target, once it is built: the target's own command, or the recipe's. A program of the platform is started through
// "xbuild run", which finds platform, project and store in the environment, wherever the test goes.
func (pl *Planner) tests(recipe *catalog.Recipe, t project.Target, vars catalog.Vars, a *Action) ([]Step, error) {
	dir := a.Source
	if a.Copy {
		dir = a.Build
	}
	var list []Step
	switch test := t.Test; {
	case test.Off:
		return nil, nil
	case len(test.Command) > 0:
		program := filepath.Join(a.Dist, filepath.FromSlash(test.Command[0]))
		list = []Step{{Name: strings.Join(test.Command, " "), Dir: dir, Command: append([]string{pl.XBuild, "run", "-p", a.OCI, "--", program}, test.Command[1:]...)}}
	case test.Shell != "":
		list = []Step{{Name: test.Shell, Dir: dir, Command: []string{"sh", "-ec", test.Shell}}}
	default:
		var err error
		if list, err = steps(recipe.Tests, vars, a); err != nil {
			return nil, err
		}
	}
	for i, s := range list {
		list[i].Env = env.Environment{
			{Name: "XBUILD_PLATFORM", Value: a.OCI}, {Name: "XBUILD_DIRECTORY", Value: pl.Project.Dir}, {Name: "XBUILD_STORE", Value: pl.Store}, {Name: "XBUILD_DIST", Value: a.Dist},
		}.Merge(s.Env)
	}
	return list, nil
}
