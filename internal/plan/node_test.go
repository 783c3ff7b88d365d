package plan

import (
	"strings"
	"testing"
)

// TestNodeFaults: what a target of the recipe node-gyp cannot have is said before anything is fetched.
func TestNodeFaults(t *testing.T) {
	for _, c := range []struct{ name, platform, more, want string }{
		{"a platform without hard-float sysroot", "linux/arm/v6", "", `xbuild.toml:4: target "addon": recipe node-gyp does not build for linux/arm/v6: Node's builds for it use the hard-float ABI`},
		{"a version that is none", "linux/arm64", `node = ["latest"]`, `target "addon": node names "latest", which is no version`},
		{"an application for two versions", "linux/arm64", "node = [\"22\", \"24\"]\nkind = \"app\"", "an application runs on one Node: node names 2 versions"},
		{"a platform without C", "freebsd/amd64", "", `platform "freebsd/amd64" has no C toolchain or sysroot`},
	} {
		t.Run(c.name, func(t *testing.T) {
			pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\""+c.platform+"\"]\n\n[target.addon]\nrecipe = \"node-gyp\"\n"+c.more+"\n-- package.json --\n{}\n")
			_, err := pl.Require(Selection{})
			if err == nil {
				pl.locked(t, Selection{})
				_, err = pl.New(Selection{})
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v\nwant %s", err, c.want)
			}
		})
	}
}
