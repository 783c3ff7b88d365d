package node

import (
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/lang"
	"xbuild/internal/node"
)

// tests are the tests of native modules: each once for every version of Node that the target names, in the platform's
// own. There are none where npm has nothing to run and the user gave nothing.
func tests(m *lang.Making, list []action.Step, given bool) ([]action.Step, error) {
	if !given && !npmTests(m.Action.Source) {
		return nil, nil
	}
	build, err := work(m)
	if err != nil {
		return nil, err
	}
	var out []action.Step
	for i, v := range m.Vars["node"].([]string) {
		major, _, _ := strings.Cut(build.Headers[i].Version, ".")
		for _, s := range list {
			s.Node, s.In = build, &action.NodeTest{Range: v, Major: major, Headers: build.Headers[i]}
			out = append(out, s)
		}
	}
	return out, nil
}

// npmTests tells whether npm has anything to run as the test of the package in a directory. npm init writes a script
// that fails where it is told of none.
func npmTests(dir string) bool {
	p, err := node.Read(dir)
	// the build says what is wrong with package.json
	return err == nil && p.Scripts["test"] != "" && !strings.Contains(p.Scripts["test"], "no test specified")
}
