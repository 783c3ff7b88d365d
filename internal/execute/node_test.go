package execute

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/node"
)

// noProxy is the proxy of commands that must not download.
const noProxy = "http://a-build-downloads-nothing.invalid:9"

// nodeBench is a bench whose npm installs what lies in fixture/, and whose node-gyp makes build/Release/addon.node of
// the file elf that lies beside a binding.gyp.
func nodeBench(t *testing.T, files map[string]string) *bench {
	t.Helper()
	b := newBench(t)
	b.write("headers/node.h", "")
	b.write("fixture/node_modules/.package-lock.json", "{}")
	b.write("headers/node_version.h", "#define NODE_MODULE_VERSION 137\n")
	b.write("headers/common.gypi", "")
	for name, text := range files {
		b.write(name, text)
	}
	tools := map[string]string{
		"npm": `#!/bin/sh
echo "$@" >> ` + b.dir + `/npm.calls
[ "$npm_config_offline" = true ] && echo offline >> ` + b.dir + `/npm.calls
cp -r ` + b.dir + `/fixture/. .`,
		"node-gyp": "#!/bin/sh\n",
		"python3":  "#!/bin/sh\n",
		// Called as: node node-gyp configure|build …, and as node npm …
		"node": `#!/bin/sh
case "$1" in */npm) exec sh "$@" ;; esac
[ "$2" = configure ] && { mkdir -p build; exit 0; }
echo "in $(basename "$PWD"): HOME=$HOME nodedir=$npm_config_nodedir proxy=$HTTPS_PROXY" >> ` + b.dir + `/gyp.calls
if [ -e download ]; then echo "getaddrinfo ENOTFOUND a-build-downloads-nothing.invalid"; exit 1; fi
if [ -e errors ]; then cat errors; exit 1; fi
mkdir -p build/Release && cp elf build/Release/addon.node`,
	}
	for name, text := range tools {
		if err := os.Chmod(b.write("tools/"+name, text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *bench) node(name string, build node.Build) *action.Action {
	a := b.action("app", name, "", "true")
	a.Language = "node"
	a.Copy, a.Skip, a.Output = true, []string{"**/node_modules"}, []action.Output{{Stage: true}}
	a.Path = []string{filepath.Join(b.dir, "tools")}
	build.Headers = []node.Headers{{Version: "24.0.0", Dir: filepath.Join(b.dir, "headers")}}
	build.Arch, build.Gyp, build.HostArch, build.Libc, build.Where = a.Platform.Node, a.Platform.Gyp, "x64", "glibc", "[target.app] of xbuild.toml"
	if b.exists("src/package-lock.json") && build.Lock == "" {
		build.Lock, build.Manager = "package-lock.json", "npm"
	}
	a.Steps = []action.Step{{Name: "native modules", Dir: a.Build, Node: &build}}
	return a
}

const lockfile = `{"lockfileVersion": 3, "packages": {}}`

// TestNodeRefusals: what would get into an application without anyone having compiled it, or would be missing there,
// ends the build and names the line that decides.
func TestNodeRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		build node.Build
		want  []string
	}{
		{"no lock file", map[string]string{"src/package.json": `{"name": "app", "dependencies": {"a": "1"}}`}, node.Build{App: true},
			[]string{"package-lock.json", "npm install --package-lock-only", "[target.app] of xbuild.toml"}},
		{"a main among the results", map[string]string{"src/package.json": `{"name": "app", "main": "../dist/index.js"}`, "src/package-lock.json": lockfile}, node.Build{App: true},
			[]string{"main, ../dist/index.js, lies in the folder of xbuild's results", `dist = "out" in [project]`}},
		{"no package.json", nil, node.Build{App: true}, []string{"package.json", "[target.app] of xbuild.toml"}},
		{"compiled files without sources", map[string]string{"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile,
			"fixture/node_modules/a/package.json": `{"name": "a", "version": "1.0.0"}`, "fixture/node_modules/a/prebuilds/linux-s390x/a.node": "ELF linux/s390x"}, node.Build{App: true},
			[]string{"a 1.0.0", "node_modules/a/prebuilds/linux-s390x/a.node", `prebuilt = ["a"]`, `skip = ["a"]`}},
		{"compiled files for other platforms alone", map[string]string{"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile,
			"fixture/node_modules/a/package.json":                 `{"name": "a", "version": "1.0.0", "scripts": {"install": "node make.js"}}`,
			"fixture/node_modules/a/prebuilds/linux-arm64/a.node": "ELF linux/arm64", "fixture/node_modules/a/prebuilds/darwin/a.node": "macOS"}, node.Build{App: true},
			[]string{"a 1.0.0", "none is for linux/s390x", `scripts = ["a"] in [target.app] of xbuild.toml runs its install script (node make.js)`, `skip = ["a"]`, "platforms = […]"}},
		{"a script that would download", map[string]string{"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile,
			"fixture/node_modules/a/package.json": `{"name": "a", "version": "1.0.0", "dependencies": {"prebuild-install": "7"}, "scripts": {"install": "prebuild-install"}}`}, node.Build{App: true},
			[]string{"a 1.0.0", "prebuild-install", `scripts = ["a"]`}},
		{"packages for other platforms", map[string]string{"src/package.json": `{"name": "app"}`,
			"src/package-lock.json":               `{"packages": {"node_modules/@a/x64": {"optional": true, "cpu": ["x64"]}, "node_modules/@a/arm": {"optional": true, "cpu": ["arm"]}}}`,
			"fixture/node_modules/a/package.json": `{"name": "a", "version": "1.0.0", "optionalDependencies": {"@a/x64": "1", "@a/arm": "1"}}`}, node.Build{App: true},
			[]string{"a 1.0.0", "@a/arm", "linux/s390x", `skip = ["a"]`}},
		{"a download while it is compiled", map[string]string{"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile,
			"fixture/node_modules/a/package.json": `{"name": "a", "version": "1.0.0"}`, "fixture/node_modules/a/binding.gyp": "{}", "fixture/node_modules/a/download": "yes"}, node.Build{App: true},
			[]string{"a 1.0.0 tries to download", `scripts = ["a"]`}},
		{"a binding.gyp that wants a file of the install script", map[string]string{"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile,
			"fixture/node_modules/a/package.json": `{"name": "a", "version": "1.0.0", "scripts": {"install": "node check.js && node-gyp rebuild"}}`, "fixture/node_modules/a/binding.gyp": "{}"}, node.Build{App: true},
			[]string{"a 1.0.0", "does more (node check.js && node-gyp rebuild)", `scripts = ["a"]`, "[target.app] of xbuild.toml"}},
		{"sources for an older Node", map[string]string{"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile,
			"fixture/node_modules/a/package.json": `{"name": "a", "version": "1.0.0", "scripts": {"install": "node check.js && node-gyp rebuild"}}`, "fixture/node_modules/a/binding.gyp": "{}",
			"fixture/node_modules/a/errors": "../src/a.cc:11:35: error: no member named 'Holder' in 'v8::FunctionCallbackInfo<v8::Value>'\n"}, node.Build{App: true},
			[]string{"a 1.0.0", "use Holder of v8::FunctionCallbackInfo, which Node 24.0.0 does not have", "in node of [target.app] of xbuild.toml"}},
		{"scripts that were not run", map[string]string{"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile,
			"fixture/node_modules/a/package.json":                `{"name": "a", "version": "1.0.0", "scripts": {"postinstall": "node fetch.js"}}`,
			"fixture/node_modules/b/package.json":                `{"name": "b", "version": "2.0.0", "scripts": {"install": "node check.js"}}`,
			"fixture/node_modules/b/node_modules/a/package.json": `{"name": "a", "version": "0.9.0", "scripts": {"postinstall": "node fetch.js"}}`,
			"fixture/node_modules/core-js/package.json":          `{"name": "core-js", "scripts": {"postinstall": "node postinstall"}}`}, node.Build{App: true},
			[]string{"  a 1.0.0: node fetch.js\n  b 2.0.0: node check.js\n", `scripts = ["a", "b"] in [target.app] of xbuild.toml runs them`, `skip = ["a", "b"] says`}},
		{"a module for the host", map[string]string{"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile,
			"fixture/node_modules/a/package.json": `{"name": "a", "version": "1.0.0"}`, "fixture/node_modules/a/binding.gyp": "{}", "fixture/node_modules/a/elf": "ELF linux/amd64"}, node.Build{App: true},
			[]string{"a 1.0.0", "linux/s390x"}},
		{"cmake-js without CMake", map[string]string{"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile,
			"fixture/node_modules/a/package.json": `{"name": "a", "version": "1.0.0", "dependencies": {"cmake-js": "7"}}`, "fixture/node_modules/a/CMakeLists.txt": ""}, node.Build{App: true},
			[]string{"a 1.0.0", "cmake = true"}},
		{"skip of nothing", map[string]string{"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile}, node.Build{App: true, Skip: []string{"zzz"}}, []string{`"zzz"`, "skip"}},
		{"no module", map[string]string{"src/package.json": `{"name": "app"}`}, node.Build{}, []string{"binding.gyp", `kind = "app"`}},
		{"several modules", map[string]string{"src/package.json": `{"name": "other"}`, "src/binding.gyp": "{}", "src/elf": "ELF linux/s390x"}, node.Build{Binary: "third"}, []string{"addon", "binary"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := nodeBench(t, nil)
			for name, text := range c.files {
				if machine, ok := strings.CutPrefix(text, "ELF "); ok {
					text = string(header(t, machine, false))
				}
				b.write(name, text)
			}
			r := b.run(b.node("linux/s390x", c.build))[0]
			if r.Err == nil {
				t.Fatalf("it was built:\n%s", r.Log)
			}
			for _, want := range c.want {
				if !strings.Contains(r.Err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, r.Err)
				}
			}
		})
	}
}

// TestNodeNotRun: what the error about install scripts advises builds the application.
func TestNodeNotRun(t *testing.T) {
	b := nodeBench(t, map[string]string{
		"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile, "src/index.js": "",
		"fixture/node_modules/a/package.json": `{"name": "a", "version": "1.0.0", "scripts": {"postinstall": "node x.js"}}`,
		"fixture/node_modules/a/a.js":         "",
	})
	r := b.run(b.node("linux/s390x", node.Build{App: true}))[0]
	if r.Err == nil || !strings.Contains(r.Err.Error(), `skip = ["a"] says that the application does without`) {
		t.Fatalf("%v", r.Err)
	}
	b.one(b.node("linux/s390x", node.Build{App: true, Skip: []string{"a"}}))
	if got := b.artifacts(); !slices.Contains(got, "linux/s390x/app/node_modules/a/a.js") {
		t.Errorf("the package itself is left out: %q", got)
	}
}

// TestNodeLayout: an application is its own files and its packages, with what was compiled for the platform, and
// without what served compilation.
func TestNodeLayout(t *testing.T) {
	elsewhere := `{"lockfileVersion": 3, "packages": {"node_modules/@c/win32": {"optional": true, "os": ["win32"]}, "node_modules/@c/linux": {"optional": true, "os": ["linux"]}}}`
	b := nodeBench(t, map[string]string{
		"src/package.json": `{"name": "app"}`, "src/package-lock.json": elsewhere, "src/index.js": "", "src/test/t.js": "", "src/xbuild.toml": "", "src/node_modules/a/of-the-host.js": "",
		"fixture/node_modules/a/package.json": `{"name": "a", "version": "1.0.0"}`, "fixture/node_modules/a/binding.gyp": "{}", "fixture/node_modules/a/a.cc": "", "fixture/node_modules/a/a.js": "",
		"fixture/node_modules/a/prebuilds/linux-s390x/a.node": "of somebody", "fixture/node_modules/a/build/Makefile": "",
		"fixture/node_modules/@p/b/package.json": `{"name": "@p/b", "version": "2.0.0", "dependencies": {"node-gyp-build": "4"}}`, "fixture/node_modules/@p/b/prebuilds/win32-x64/b.node": "MZ",
		"fixture/node_modules/c/package.json": `{"name": "c", "version": "3.0.0"}`, "fixture/node_modules/c/binding.gyp": "{}", "fixture/node_modules/c/prebuilds/linux-s390x/c.node": "of somebody",
		"fixture/node_modules/e/package.json": `{"name": "e", "optionalDependencies": {"@c/linux": "1", "@c/win32": "1"}, "scripts": {"install": "node check.js || true"}}`, "fixture/node_modules/@c/linux/package.json": `{"name": "@c/linux"}`,
		"fixture/node_modules/d/package.json": `{"name": "d", "scripts": {"postinstall": "node fetch.js || exit 0"}}`, "fixture/node_modules/d/include/d.h": "", "fixture/node_modules/d/README.md": "",
	})
	// A program of macOS goes with other platforms' prebuilds where a package is compiled or taken as it is, and is
	// data elsewhere.
	mac := "\xcf\xfa\xed\xfe\x0c\x00\x00\x01" + strings.Repeat("\x00", 4) + "\x02" + strings.Repeat("\x00", 19)
	for _, of := range []string{"a", "@p/b", "d"} {
		b.write("fixture/node_modules/"+of+"/third/console", mac)
	}
	b.write("fixture/node_modules/a/elf", string(header(t, "linux/s390x", false)))
	b.write("fixture/node_modules/@p/b/prebuilds/linux-s390x/b.node", string(header(t, "linux/s390x", false)))
	b.write("fixture/node_modules/@p/b/prebuilds/linux-x64/b.node", string(header(t, "linux/amd64", false)))
	if err := os.Symlink("a/a.js", filepath.Join(b.dir, "fixture/node_modules/.link")); err != nil {
		t.Fatal(err)
	}
	a := b.node("linux/s390x", node.Build{App: true, Prebuilt: []string{"@p/*"}, Skip: []string{"c", "@c/*"}, Exclude: []string{"test/**", "node_modules/**/*.md"}})
	if r := b.one(a); len(r.Notes) > 0 {
		t.Errorf("notes %q", r.Notes)
	}
	var got []string
	for _, f := range b.artifacts() {
		got = append(got, strings.TrimPrefix(f, "linux/s390x/app/"))
	}
	want := []string{
		"index.js", "input", "node_modules/.link", "node_modules/.package-lock.json", "node_modules/@c/linux/package.json", "node_modules/@p/b/package.json", "node_modules/@p/b/prebuilds/linux-s390x/b.node",
		"node_modules/a/a.js", "node_modules/a/build/Release/addon.node", "node_modules/a/elf", "node_modules/a/package.json",
		"node_modules/c/binding.gyp", "node_modules/c/package.json", "node_modules/d/include/d.h", "node_modules/d/package.json", "node_modules/d/third/console", "node_modules/e/package.json", "package-lock.json", "package.json",
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the application is\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
	calls := b.read("gyp.calls")
	for _, want := range []string{"in a:", "HOME=" + a.Build, "nodedir=" + a.Build, "proxy=" + noProxy} {
		if !strings.Contains(calls, want) {
			t.Errorf("node-gyp was called without %q:\n%s", want, calls)
		}
	}
	if !strings.Contains(b.read("npm.calls"), "ci --ignore-scripts --include=optional") || !strings.Contains(b.read("npm.calls"), "--omit=dev --os=linux --cpu=s390x --libc=glibc") || strings.Contains(b.read("npm.calls"), "offline") {
		t.Errorf("npm was called with\n%s", b.read("npm.calls"))
	}

	// A file that goes from the source goes from the application; packages are installed again only where their lock
	// changed.
	if err := os.Remove(filepath.Join(b.dir, "src/index.js")); err != nil {
		t.Fatal(err)
	}
	b.one(a)
	if b.exists("dist/linux/s390x/app/index.js") || strings.Count(b.read("npm.calls"), "ci ") != 1 {
		t.Errorf("index.js is still there, or npm ci ran again:\n%s", b.read("npm.calls"))
	}
	b.write("src/package-lock.json", elsewhere+"\n")
	b.opt.Offline = true
	b.one(a)
	if strings.Count(b.read("npm.calls"), "ci ") != 2 || !strings.Contains(b.read("npm.calls"), "offline") {
		t.Errorf("after a new lock, offline:\n%s", b.read("npm.calls"))
	}
}

// TestNodeReplaced: what npm has compiled of a package for one platform, in another package, is left away where the
// package itself is compiled, unless prebuilt names it. Another optional dependency of the package still wants a word.
func TestNodeReplaced(t *testing.T) {
	files := map[string]string{
		"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile,
		"fixture/node_modules/@p/db/package.json": `{"name": "@p/db", "version": "1.0.0", "optionalDependencies": {"@q/db-linux-s390x": "1", "@q/other": "1"}}`, "fixture/node_modules/@p/db/binding.gyp": "{}",
		"fixture/node_modules/@q/db-linux-s390x/package.json": `{"name": "@q/db-linux-s390x", "os": ["linux"], "cpu": ["s390x"]}`,
		"fixture/node_modules/@q/other/package.json":          `{"name": "@q/other", "os": ["linux"], "cpu": ["s390x"]}`,
	}
	elf := string(header(t, "linux/s390x", false))
	b := nodeBench(t, files)
	b.write("fixture/node_modules/@p/db/elf", elf)
	b.write("fixture/node_modules/@q/db-linux-s390x/db.node", elf)
	b.one(b.node("linux/s390x", node.Build{App: true}))
	const prebuild = "dist/linux/s390x/app/node_modules/@q/db-linux-s390x/db.node"
	if !b.exists("dist/linux/s390x/app/node_modules/@p/db/build/Release/addon.node") || b.exists(prebuild) {
		t.Errorf("the application has %q, want what was compiled alone", b.artifacts())
	}

	b.write("src/package-lock.json", lockfile+"\n")
	b.one(b.node("linux/s390x", node.Build{App: true, Prebuilt: []string{"@q/db-*"}}))
	if !b.exists(prebuild) {
		t.Errorf("with prebuilt the application has %q", b.artifacts())
	}

	b.write("fixture/node_modules/@q/other/other.node", elf)
	b.write("src/package-lock.json", lockfile+"\n\n")
	if r := b.run(b.node("linux/s390x", node.Build{App: true}))[0]; r.Err == nil || !strings.Contains(r.Err.Error(), "node_modules/@q/other/other.node") || strings.Contains(r.Err.Error(), "db-linux") {
		t.Errorf("with a compiled file that nothing here replaces: %v", r.Err)
	}
}

// TestNodeScripts: an install script that a project asks for is told what it is installed for, is not kept from
// fetching, and finds the toolchain's node-gyp before one of the packages.
func TestNodeScripts(t *testing.T) {
	b := nodeBench(t, map[string]string{
		"src/package.json": `{"name": "app"}`, "src/package-lock.json": lockfile,
		"fixture/node_modules/a/package.json": `{"name": "a", "version": "1.0.0", "dependencies": {"prebuild-install": "7"}, "scripts": {"preinstall": "env > environ", "install": "command -v node-gyp > where"}}`,
	})
	if err := os.Chmod(b.write("fixture/node_modules/.bin/node-gyp", "#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	a := b.node("linux/s390x", node.Build{App: true, Scripts: []string{"a"}})
	b.one(a)
	environ := b.read("dist/linux/s390x/app/node_modules/a/environ")
	for _, want := range []string{"npm_config_arch=s390x\n", "npm_config_libc=\n", "npm_package_name=a\n"} {
		if !strings.Contains(environ, want) {
			t.Errorf("the script does not see %q:\n%s", want, environ)
		}
	}
	if strings.Contains(environ, "build_from_source") || strings.Contains(environ, noProxy) {
		t.Errorf("the script is kept from fetching:\n%s", environ)
	}
	where := strings.TrimSpace(b.read("dist/linux/s390x/app/node_modules/a/where"))
	if to, err := filepath.EvalSymlinks(where); err != nil || to != filepath.Join(b.dir, "tools/node-gyp") {
		t.Errorf("node-gyp is %s, a link to %s (%v)", where, to, err)
	}
}
