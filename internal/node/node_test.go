package node

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree writes files; a name that ends in "@" is a symbolic link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		file := filepath.Join(root, strings.TrimSuffix(name, "@"))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "@") {
			err = os.Symlink(text, file)
		} else {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestTool(t *testing.T) {
	for _, c := range []struct {
		name   string
		files  map[string]string
		tool   string
		native bool
	}{
		{"plain JavaScript", map[string]string{"package.json": `{"name": "p"}`}, "", false},
		{"an install script of JavaScript alone", map[string]string{"package.json": `{"name": "p", "scripts": {"postinstall": "node thanks.js"}}`}, "", false},
		{"node-gyp", map[string]string{"package.json": `{"name": "p"}`, "binding.gyp": "{}"}, NodeGyp, false},
		{"node-gyp behind prebuild-install", map[string]string{"package.json": `{"name": "p", "scripts": {"install": "prebuild-install || node-gyp rebuild"}, "dependencies": {"prebuild-install": "7"}}`, "binding.gyp": "{}"}, NodeGyp, true},
		{"a binding.gyp that npm leaves alone", map[string]string{"package.json": `{"name": "p", "gypfile": false}`, "binding.gyp": "{}"}, "", false},
		{"cmake-js", map[string]string{"package.json": `{"name": "p", "dependencies": {"cmake-js": "7"}}`, "CMakeLists.txt": ""}, CMakeJS, false},
		{"a C library with CMake beside JavaScript", map[string]string{"package.json": `{"name": "p"}`, "CMakeLists.txt": ""}, "", false},
		{"prebuilt alone", map[string]string{"package.json": `{"name": "p", "dependencies": {"require-addon": "1"}}`}, "", true},
		{"node-pre-gyp without sources", map[string]string{"package.json": `{"name": "p", "binary": {"host": "https://h.example"}, "scripts": {"install": "node-pre-gyp install"}}`}, "", true},
		{"Node-API versions alone", map[string]string{"package.json": `{"name": "p", "binary": {"napi_versions": [8]}}`}, "", false},
		{"fields of other types", map[string]string{"package.json": `{"name": "p", "scripts": [], "dependencies": "none", "gypfile": "yes"}`, "binding.gyp": "{}"}, NodeGyp, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Read(tree(t, c.files))
			if err != nil {
				t.Fatal(err)
			}
			if p.Tool() != c.tool || p.Native() != c.native {
				t.Errorf("tool %q, native %v, want %q, %v", p.Tool(), p.Native(), c.tool, c.native)
			}
		})
	}
	if _, err := Read(tree(t, map[string]string{"package.json": `{`})); err == nil || !strings.Contains(err.Error(), "package.json") {
		t.Errorf("a package.json that is no JSON: %v", err)
	}
}

// TestInstalled walks what npm lays out: scopes, packages within packages, links to workspaces; not what leads out of
// the project.
func TestInstalled(t *testing.T) {
	outside := tree(t, map[string]string{"package.json": `{"name": "outside"}`})
	root := tree(t, map[string]string{
		"package.json":                                 `{"name": "root"}`,
		"node_modules/.bin/tool@":                      "../a/tool.js",
		"node_modules/.package-lock.json":              `{}`,
		"node_modules/a/package.json":                  `{"name": "a"}`,
		"node_modules/a/node_modules/b/package.json":   `{"name": "b", "version": "1.0.0"}`,
		"node_modules/b/package.json":                  `{"name": "b", "version": "2.0.0"}`,
		"node_modules/@s/c/package.json":               `{"name": "@s/c"}`,
		"node_modules/@s/c/test/fixtures/package.json": `{"name": "no package of the tree"}`,
		"node_modules/work@":                           "../packages/desk",
		"node_modules/again@":                          "../packages/desk",
		"node_modules/outside@":                        outside,
		"node_modules/dangling@":                       "../packages/gone",
		"packages/desk/package.json":                   `{"name": "work"}`,
	})
	found, err := Installed(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range found {
		rel, _ := filepath.Rel(root, p.Dir)
		got = append(got, p.Name+" "+p.Version+" "+rel)
	}
	want := []string{"@s/c  node_modules/@s/c", "a  node_modules/a", "b 1.0.0 node_modules/a/node_modules/b", "b 2.0.0 node_modules/b", "work  packages/desk"}
	if !slices.Equal(got, want) {
		t.Errorf("Installed:\n got %q\nwant %q", got, want)
	}
	if found, err := Installed(tree(t, nil)); err != nil || len(found) > 0 {
		t.Errorf("without node_modules: %v %v", found, err)
	}
}

// nodeVersion is what matters of node_version.h of Node 24.
const nodeVersion = "#define NODE_MODULE_VERSION 137\n\n#define NODE_API_SUPPORTED_VERSION_MAX 10\n"

// TestCompose: the headers are links, the configuration says the platform and nothing of the host, and what gcc alone
// knows is gone.
func TestCompose(t *testing.T) {
	const types = "typedef struct napi_value__* napi_value;\ntypedef struct napi_ref__* napi_ref;\n"
	headers := tree(t, map[string]string{
		"js_native_api_types.h": types,
		"node.h":                "", "node_version.h": nodeVersion, "uv/unix.h": "", "config.gypi": "{'variables': {'target_arch': 'x64', 'host_arch': 'x64'}, 'target_defaults': {'cflags': ['-m64']}}",
		"common.gypi": "'cflags': [ '-m64', '-mminimal-toc' ],",
	})
	h := Headers{Version: "24.21.0", Dir: headers}
	b := Build{Arch: "arm", Gyp: "arm", HostArch: "x64", ARM: "7", Libc: "glibc"}
	dir := filepath.Join(t.TempDir(), "node")
	if err := b.Compose(dir, h); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, "include/node", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	var config struct {
		Variables map[string]any `json:"variables"`
		Defaults  struct {
			CFlags []string `json:"cflags"`
		} `json:"target_defaults"`
	}
	text := read("config.gypi")
	if err := json.Unmarshal([]byte(text[strings.Index(text, "\n"):]), &config); err != nil {
		t.Fatal(err)
	}
	v := config.Variables
	if v["target_arch"] != "arm" || v["host_arch"] != "x64" || v["arm_version"] != "7" || v["node_byteorder"] != "little" || v["napi_build_version"] != "10" || v["llvm_version"] == nil || v["llvm_version"] == "0.0" || len(config.Defaults.CFlags) > 0 {
		t.Errorf("config.gypi:\n%s", text)
	}
	if got := read("common.gypi"); got != "'cflags': [ '-m64' ]," {
		t.Errorf("common.gypi: %s", got)
	}
	if to, err := os.Readlink(filepath.Join(dir, "include/node/uv")); err != nil || to != filepath.Join(headers, "uv") {
		t.Errorf("uv -> %q, %v", to, err)
	}
	if got := read("js_native_api_types.h"); got != types {
		t.Errorf("js_native_api_types.h: %s", got)
	}
	narrow := b
	narrow.Narrow = true
	if err := narrow.Compose(dir+"32", h); err != nil {
		t.Fatal(err)
	}
	want := "#ifdef __cplusplus\ntypedef void (*napi_value)(struct napi_value__*);\n#else\ntypedef struct napi_value__* napi_value;\n#endif\ntypedef struct napi_ref__* napi_ref;\n"
	if got := read("../../../node32/include/node/js_native_api_types.h"); got != want {
		t.Errorf("js_native_api_types.h of a 32-bit platform:\n%s\nwant:\n%s", got, want)
	}
	// A directory that is right is left alone: make goes by its times.
	file := filepath.Join(dir, "include/node/config.gypi")
	before, _ := os.Stat(file)
	if err := b.Compose(dir, h); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(file); !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Error("config.gypi was written again")
	}
	b.Big = true
	if err := b.Compose(dir, h); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read("config.gypi"), `"node_byteorder": "big"`) {
		t.Errorf("another platform's configuration stayed:\n%s", read("config.gypi"))
	}
	if err := b.Compose(dir, Headers{Dir: t.TempDir()}); err == nil {
		t.Error("a directory without headers passed")
	}
	if _, _, err := (Headers{Dir: tree(t, map[string]string{"node_version.h": "// nothing"})}).ABI(); err == nil || !strings.Contains(err.Error(), "NODE_MODULE_VERSION") {
		t.Errorf("headers without a version: %v", err)
	}
}

func TestPrebuildName(t *testing.T) {
	for _, c := range []struct {
		b    Build
		name string
		abi  int
		want string
	}{
		{Build{Arch: "x64", Libc: "glibc"}, "sum", 0, "linux-x64/sum.glibc.node"},
		{Build{Arch: "arm64", Libc: "musl"}, "@scope/sum", 137, "linux-arm64/@scope+sum.abi137.musl.node"},
		{Build{Arch: "arm", ARM: "7", Libc: "glibc"}, "sum", 115, "linux-arm/sum.abi115.armv7.glibc.node"},
	} {
		if got := c.b.PrebuildDir() + "/" + c.b.PrebuildName(c.name, c.abi); got != c.want {
			t.Errorf("%+v %s %d: %s, want %s", c.b, c.name, c.abi, got, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"name": "p", "scripts": {"install": "x"}, "binary": {}}`))
	f.Add([]byte(`[1]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "package.json"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if p, err := Read(dir); err == nil {
			p.Tool()
			p.Native()
		}
	})
}

// TestNeedless: install scripts of the npm registry, and whether a package does without what they do.
func TestNeedless(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         bool
	}{
		{"core-js", `node -e "try{require('./postinstall')}catch(e){}"`, true},
		{"vue-demi", `node -e "try{require('./scripts/postinstall.js')}catch(e){}"`, false}, // it chooses what is loaded
		{"es5-ext", ` node -e "try{require('./_postinstall')}catch(e){}" || exit 0`, true},
		{"@nestjs/core", "opencollective || exit 0", true},
		{"yarn", ":; (node ./preinstall.js > /dev/null 2>&1 || true)", true},
		{"puppeteer", "node install.mjs", false},
		{"ffmpeg-static", "node install.js", false},
		{"a", "node fetch.js || node build.js", false},
		{"a", "node fetch.js || exit 1", false},
		{"a", "true || node fetch.js", false},
	} {
		if got := (Package{Name: c.name, Scripts: map[string]string{"postinstall": c.script}}).Needless(); got != c.want {
			t.Errorf("%s: %q: %v", c.name, c.script, got)
		}
	}
}

// TestPrepares: install scripts of the npm registry, and whether they do more than node-gyp does.
func TestPrepares(t *testing.T) {
	for script, want := range map[string]bool{
		"":                         false,
		"node-gyp rebuild":         false,
		"node-gyp configure build": false,
		"node-gyp-build":           false,
		"prebuild-install || node-gyp rebuild --release":           false,
		"cross-env ZERO_AR_DATE=1 node-gyp-build":                  false,
		"prebuild-install -r napi || node-gyp rebuild":             false,
		"node buildcheck.js > buildcheck.gypi && node-gyp rebuild": true,
		"node-gyp-build || exit 0":                                 false,
		"node-gyp rebuild || echo 'no native part'":                false,
		"echo x > config.h && node-gyp rebuild":                    true,
		"node install.js":                                          true,
		"node-gypsy":                                               true,
	} {
		if got := (Package{Scripts: map[string]string{"install": script}}).Prepares(); got != want {
			t.Errorf("%q: %v", script, got)
		}
	}
}
