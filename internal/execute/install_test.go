package execute

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/env"
	"xbuild/internal/node"
)

// workspaceBench is a bench whose source is packages/svc of a workspace, with a package manager that installs what lies
// in fixture/ and notes how it was called.
func workspaceBench(t *testing.T, manager, lock string, files map[string]string) (*bench, *action.Action) {
	t.Helper()
	b := nodeBench(t, files)
	b.opt.Store = filepath.Join(b.dir, "store")
	b.write("src/"+lock, "{}")
	program := strings.TrimSuffix(manager, "-classic")
	if err := os.Chmod(b.write("tools/"+program, `#!/bin/sh
{ echo "$0 $*" | sed 's,[^ ]*/tools/,,'; env | grep -E '^(NODE_OPTIONS|YARN_|npm_config_offline)' | sort; pwd; } >> `+b.dir+`/calls
cp package.json `+b.dir+`/package.json.seen
cp -r `+b.dir+`/fixture/. .`), 0o755); err != nil {
		t.Fatal(err)
	}
	a := b.node("linux/arm64", node.Build{App: true, Manager: manager, ManagerVersion: "10.34.8", Lock: lock, Workspace: "../..", Members: []string{"packages/lib", "packages/other", "packages/svc"}})
	a.Source = filepath.Join(b.dir, "src", "packages", "svc")
	a.Rooted, a.Build = true, filepath.Join(a.Top, "packages", "svc")
	return b, a
}

// TestInstallCommands: each package manager is called frozen, without scripts, for production and the platform, in the
// workspace's root.
func TestInstallCommands(t *testing.T) {
	for _, c := range []struct {
		manager, version, lock string
		offline                bool
		want, not              []string
	}{
		{"npm", "11.0.0", "package-lock.json", true, []string{"npm ci --ignore-scripts", "--workspace=packages/svc", "--omit=dev --os=linux --cpu=arm64 --libc=glibc", "npm_config_offline=true"}, []string{"--include-workspace-root"}},
		{"pnpm", "10.34.8", "pnpm-lock.yaml", true, []string{"pnpm install --frozen-lockfile --ignore-scripts", "--prod --filter={packages/svc}... --os=linux --cpu=arm64 --libc=glibc --offline", "--store-dir=STORE/cache/pnpm"}, nil},
		{"pnpm", "9.15.9", "pnpm-lock.yaml", false, []string{"pnpm install --frozen-lockfile --ignore-scripts", "--prod --filter={packages/svc}..."}, []string{"--cpu", "--offline"}},
		{"yarn-classic", "1.22.22", "yarn.lock", true, []string{"yarn install --frozen-lockfile --ignore-scripts", "--production --offline", `NODE_OPTIONS=--require="`, "--cache-folder=STORE/cache/yarn-classic"}, nil},
		{"yarn", "4.18.1", "yarn.lock", true, []string{"yarn install --immutable --mode=skip-build", "YARN_IGNORE_PATH=1", "YARN_ENABLE_NETWORK=0", "YARN_GLOBAL_FOLDER=STORE/cache/yarn"}, nil},
	} {
		t.Run(c.manager+" "+c.version, func(t *testing.T) {
			const own = `{"name": "root", "pnpm": {"overrides": {}}}`
			b, a := workspaceBench(t, c.manager, c.lock, map[string]string{"src/package.json": own, "src/packages/svc/package.json": `{"name": "svc"}`})
			a.Steps[0].Node.ManagerVersion = c.version
			b.opt.Offline, b.opt.Registry = c.offline, "https://registry.example/npm"
			b.one(a)
			calls := strings.ReplaceAll(b.read("calls"), b.opt.Store, "STORE")
			for _, want := range append(c.want, a.Top+"\n") {
				if !strings.Contains(calls, want) {
					t.Errorf("it was not called with %q:\n%s", want, calls)
				}
			}
			for _, not := range c.not {
				if strings.Contains(calls, not) {
					t.Errorf("it was called with %q:\n%s", not, calls)
				}
			}
			seen := b.read("package.json.seen")
			if told := strings.Contains(seen, `"cpu": [`); told != (c.version == "9.15.9") || told && !strings.Contains(seen, `"overrides"`) {
				t.Errorf("package.json while it ran:\n%s", seen)
			}
			if data, err := os.ReadFile(filepath.Join(a.Top, "package.json")); err != nil || string(data) != own {
				t.Errorf("package.json after it ran: %s (%v)", data, err)
			}
			rc, _ := os.ReadFile(filepath.Join(filepath.Dir(a.Top), ".yarnrc.yml"))
			if want := "supportedArchitectures:\n  os: [linux]\n  cpu: [arm64]\n  libc: [glibc]\nnpmRegistryServer: \"https://registry.example/npm\"\n"; c.manager == "yarn" && string(rc) != want {
				t.Errorf(".yarnrc.yml beside the copy:\n%swant\n%s", rc, want)
			}
			// What it goes by has not changed: it is not called again. Then another package of the workspace gets a
			// dependency.
			b.write("src/packages/svc/index.js", "")
			b.one(a)
			if got := strings.Count(b.read("calls"), " install ") + strings.Count(b.read("calls"), "npm ci"); got != 1 {
				t.Errorf("called %d times for one lock file", got)
			}
			b.write("src/"+c.lock, `{"packages": {}}`)
			b.one(a)
			if got := strings.Count(b.read("calls"), " install ") + strings.Count(b.read("calls"), "npm ci"); got != 2 {
				t.Errorf("called %d times for two lock files", got)
			}
		})
	}
}

// TestYarnRegistry: a registry that yarn itself is told of wins over npm's.
func TestYarnRegistry(t *testing.T) {
	b, a := workspaceBench(t, "yarn", "yarn.lock", map[string]string{"src/package.json": `{}`, "src/packages/svc/package.json": `{}`, "src/.yarnrc.yml": "nodeLinker: node-modules\nnpmRegistryServer: https://own.example\n"})
	b.opt.Registry, b.opt.Environ = "https://registry.example/npm", env.Environment{{Name: "HOME", Value: b.dir}}
	b.one(a)
	rc, err := os.ReadFile(filepath.Join(filepath.Dir(a.Top), ".yarnrc.yml"))
	if err != nil || strings.Contains(string(rc), "npmRegistryServer") {
		t.Errorf("%v, %s", err, rc)
	}
}

// TestWorkspaceLayout: an application in a workspace is laid out with what it depends on, in the places that it had
// there: packages of the workspace from their sources, what was compiled in them and below the workspace's own
// node_modules, links; and nothing of what others want.
func TestWorkspaceLayout(t *testing.T) {
	arm64 := string(header(t, "linux/arm64", false))
	b, a := workspaceBench(t, "pnpm", "pnpm-lock.yaml", map[string]string{
		"src/package.json":              `{"name": "mono"}`,
		"src/packages/svc/package.json": `{"name": "svc", "dependencies": {"lib": "1", "native": "1"}, "devDependencies": {"dev": "1"}}`, "src/packages/svc/index.js": "", "src/packages/svc/xbuild.toml": "",
		"src/packages/lib/package.json": `{"name": "lib", "version": "1.0.0", "dependencies": {"a": "1"}}`, "src/packages/lib/lib.js": "", "src/packages/lib/binding.gyp": "{}", "src/packages/lib/lib.cc": "", "src/packages/lib/elf": arm64,
		"src/packages/lib/node_modules/of-the-host.js": "", "src/packages/other/package.json": `{"name": "other"}`,
		"fixture/node_modules/.pnpm/native@1/node_modules/native/package.json": `{"name": "native", "version": "1.0.0"}`, "fixture/node_modules/.pnpm/native@1/node_modules/native/binding.gyp": "{}",
		"fixture/node_modules/.pnpm/native@1/node_modules/native/elf": arm64, "fixture/node_modules/.pnpm/native@1/node_modules/native/n.js": "",
		"fixture/node_modules/.pnpm/a@1/node_modules/a/package.json": `{"name": "a", "version": "1.0.0"}`, "fixture/node_modules/.pnpm/b@1/node_modules/b/package.json": `{"name": "b"}`,
		"fixture/node_modules/.pnpm/lock.yaml": "", "fixture/node_modules/.modules.yaml": "/a/place/of/this/machine",
		"fixture/node_modules/.pnpm/dev@1/node_modules/dev/package.json": `{"name": "dev"}`, "fixture/node_modules/.pnpm/dev@1/node_modules/dev/prebuilds/dev.node": arm64,
		"fixture/packages/svc/node_modules/.bin/shim": "#!/bin/sh\n/a/place/of/this/machine\n", "fixture/node_modules/.pnpm/a@1/node_modules/a/cli.js": "",
	})
	for name, to := range map[string]string{
		"packages/svc/node_modules/lib": "../../lib", "packages/svc/node_modules/native": "../../../node_modules/.pnpm/native@1/node_modules/native", "packages/svc/node_modules/dev": "../../../node_modules/.pnpm/dev@1/node_modules/dev",
		"packages/lib/node_modules/a": "../../../node_modules/.pnpm/a@1/node_modules/a", "packages/other/node_modules/b": "../../../node_modules/.pnpm/b@1/node_modules/b",
		"packages/lib/node_modules/.bin/a": "../a/cli.js", "packages/svc/node_modules/.bin/dev": "../dev/cli.js",
	} {
		file := filepath.Join(b.dir, "fixture", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, file); err != nil {
			t.Fatal(err)
		}
	}
	a.Skip = append(a.Skip, "../lib/build", "../lib/prebuilds")
	b.one(a)
	var got []string
	for _, f := range b.artifacts() {
		got = append(got, strings.TrimPrefix(f, "linux/arm64/app/"))
	}
	want := []string{
		"node_modules/.pnpm/a@1/node_modules/a/cli.js", "node_modules/.pnpm/a@1/node_modules/a/package.json",
		"node_modules/.pnpm/native@1/node_modules/native/build/Release/addon.node", "node_modules/.pnpm/native@1/node_modules/native/n.js", "node_modules/.pnpm/native@1/node_modules/native/package.json",
		"packages/lib/binding.gyp", "packages/lib/build/Release/addon.node", "packages/lib/lib.cc", "packages/lib/lib.js", "packages/lib/node_modules/.bin/a", "packages/lib/node_modules/a", "packages/lib/package.json",
		"packages/svc/index.js", "packages/svc/node_modules/lib", "packages/svc/node_modules/native", "packages/svc/package.json",
	}
	slices.Sort(got)
	got = slices.DeleteFunc(got, func(f string) bool { return filepath.Base(f) == "elf" }) // what this test's node-gyp compiles
	if !slices.Equal(got, want) {
		t.Errorf("laid out is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if to, err := os.Readlink(filepath.Join(a.Dist, "app/packages/svc/node_modules/lib")); err != nil || to != "../../lib" {
		t.Errorf("the link to lib leads to %q (%v)", to, err)
	}
	calls := b.read("gyp.calls")
	for _, in := range []string{"in lib:", "in native:"} {
		if !strings.Contains(calls, in) {
			t.Errorf("node-gyp was not called %s\n%s", in, calls)
		}
	}
}
