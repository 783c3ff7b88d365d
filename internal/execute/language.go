package execute

import (
	"path/filepath"

	"xbuild/internal/action"
	"xbuild/internal/lang"
)

// lends is what a language carries out a step with that is no command.
func (r *runner) lends() *lang.Runner {
	return &lang.Runner{
		Build: r.opt.Build, Dist: r.opt.Dist, Store: r.opt.Store, Skip: r.opt.Skip,
		Environ: r.opt.Environ, XBuild: r.opt.XBuild,
		Registry: r.opt.Registry, Offline: r.opt.Offline, Tests: r.opt.Tests,
		Command: r.command, Path: r.path, Read: r.read, List: r.list, Skips: r.inputs.skips,
		Check: func(a *action.Action, beside []string, file string) error {
			st := &state{}
			for _, f := range beside {
				st.Outputs = append(st.Outputs, output{Path: f, Dist: filepath.Base(f)})
			}
			_, err := check(a, st, file)
			return err
		},
	}
}
