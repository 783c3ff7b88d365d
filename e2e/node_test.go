package e2e

import (
	"cmp"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"xbuild/internal/execute"
	"xbuild/internal/platform"
)

// inNode runs the platform's own Node, which xbuild fetches, in a version.
func inNode(t *testing.T, dir, platform, version string, args ...string) result {
	t.Helper()
	return xbuild(t, dir, append([]string{"run", "-q", "-p", platform, "--node", version, "--"}, args...)...)
}

// nodeModule is a module of the npm registry and what shows that it works.
type nodeModule struct {
	name, version string
	packages      []string // Debian packages that it links
	platform      string   // where it is built without XBUILD_E2E=full
	test          string   // JavaScript; m is the module
	dependencies  map[string]string
	refuses       []string // platforms that its own sources have an #error for
	loads         string   // where the file lies that it loads, if not in build/Release
}

// The modules: of Node-API, in C and by node-addon-api's classes (microtime's x[0] is one of those that clang finds
// ambiguous on 32 bits); of V8 (better-sqlite3; pcap, libpq and node-libcurl through nan); built by node-gyp alone, and
// by node-pre-gyp (node-libcurl); linking libraries of the platform, as they say themselves (pcap) and as scripts of
// their packages say (pg_config, curl-config).
var nodeModules = []nodeModule{
	{name: "better-sqlite3", version: "12.11.1", platform: "linux/arm64", test: `
		const db = new m(':memory:');
		db.exec('create table t (a integer, b text)');
		const insert = db.prepare('insert into t values (?, ?)');
		db.transaction(() => { for (let i = 0; i < 100; i++) insert.run(i, 'n' + i) })();
		equal(db.prepare('select sum(a) as s, max(b) as m from t').get(), { s: 4950, m: 'n99' });
		equal(db.prepare('select json_extract(?, ?) as v').pluck().get('{"a":[1,2.5]}', '$.a[1]'), 2.5);`},
	{name: "bcrypt", version: "6.0.0", platform: "linux/s390x", test: `
		equal(m.hashSync('U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.'), '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'); // Openwall's vector
		equal(m.compareSync('secret', m.hashSync('secret', 4)), true);
		equal(m.compareSync('other', m.hashSync('secret', 4)), false);`},
	{name: "bufferutil", version: "4.1.0", platform: "linux/amd64", test: `
		const out = Buffer.alloc(5);
		m.mask(Buffer.from([1, 2, 3, 4, 5]), Buffer.from([255, 0, 255, 0]), out, 0, 5);
		equal([...out], [254, 2, 252, 4, 250]);`},
	// leveldb 1.20 in it: "Please implement AtomicPointer for this platform" (port/atomic_pointer.h).
	{name: "classic-level", version: "3.0.0", platform: "linux/arm/v7", refuses: []string{"linux/s390x", "linux/riscv64"}, test: `
		const dir = require('fs').mkdtempSync(require('os').tmpdir() + '/level-');
		const db = new m.ClassicLevel(dir, { valueEncoding: 'json' });
		await db.put('a', { n: 1 });
		await db.batch([{ type: 'put', key: 'b', value: [2] }, { type: 'del', key: 'c' }]);
		equal(await db.get('a'), { n: 1 });
		equal(await db.keys().all(), ['a', 'b']);
		await db.close();
		require('fs').rmSync(dir, { recursive: true });`},
	{name: "argon2", version: "0.45.1", platform: "linux/ppc64le", test: `
		const salt = Buffer.from('0123456789abcdef');
		const raw = await m.hash('password', { salt, raw: true, timeCost: 2, memoryCost: 1024, parallelism: 1 });
		equal(raw.toString('hex'), ARGON);
		equal(await m.verify(await m.hash('password', { memoryCost: 1024 }), 'password'), true);`},
	{name: "pcap", version: "3.1.0", platform: "linux/riscv64", packages: []string{"libpcap0.8-dev"}, test: `
		if (!/^libpcap version [0-9]/.test(m.lib_version)) throw new Error(m.lib_version);`},
	{name: "microtime", version: "3.1.1", platform: "linux/arm/v7", test: `
		const [a, b] = [m.now(), m.nowStruct()];
		if (!(Math.abs(a - Date.now() * 1000) < 5e6 && b.length == 2)) throw new Error(a + ' ' + b);`},
	{name: "libpq", version: "1.8.13", platform: "linux/s390x", packages: []string{"libpq-dev"}, test: `
		try { new m().connectSync('host=/nonexistent'); throw new Error('connected') }
		catch (e) { if (!e.message.includes('/nonexistent/.s.PGSQL.5432')) throw e; }`},
	{name: "node-libcurl", version: "4.0.0", platform: "linux/ppc64le", packages: []string{"libcurl4-openssl-dev"}, loads: "/lib/binding/", test: `
		if (!/^libcurl\/[0-9]/.test(m.Curl.getVersion())) throw new Error(m.Curl.getVersion());
		const c = new m.Curl(), file = 'file://' + __filename;
		c.setOpt('URL', file);
		const [code, body] = await new Promise((done, fail) => { c.on('end', (...r) => done(r)); c.on('error', fail); c.perform(); });
		c.close();
		if (!body.includes(file.slice(0, 7))) throw new Error(code + ' ' + body);`},
}

// nodeTest is the program that exercises modules where they were built for.
func nodeTest(modules []nodeModule) string {
	var b strings.Builder
	b.WriteString(`const { deepStrictEqual: equal } = require('assert');
const ARGON = '` + argonVector + `';
const loaded = (name) => Object.keys(require.cache).filter((f) => f.endsWith('.node') && f.includes('node_modules/' + name + '/'));
(async () => {
`)
	for _, m := range modules {
		// The compiled file has to be the one that was built here: some modules have a fallback in JavaScript.
		fmt.Fprintf(&b, "  { const m = require(%q);%s\n    if (loaded(%q).length != 1 || !loaded(%q)[0].includes(%q)) throw new Error(%q + ' loaded ' + loaded(%q));\n    console.log('ok %s'); }\n",
			m.name, m.test, m.name, m.name, cmp.Or(m.loads, "/build/Release/"), m.name, m.name, m.name)
	}
	b.WriteString("  console.log(process.arch, process.version);\n})().catch((e) => { console.error(e); process.exit(1) });\n")
	return b.String()
}

// argonVector is argon2id of "password" with the salt of the test, 2 passes over 1 MiB, one lane: the reference
// implementation's answer (argon2(1) -id -t 2 -k 1024 -p 1 -l 32 -r).
const argonVector = "fbb749b873e2a2f1da56305bbe809193f2cc30af6d2ef5fa09d69d9aa0a14d7b"

// nodeProject writes an application with modules.
func nodeProject(t *testing.T, platforms []string, modules []nodeModule) string {
	t.Helper()
	dependencies := map[string]string{}
	var packages []string
	for _, m := range modules {
		dependencies[m.name] = m.version
		maps.Copy(dependencies, m.dependencies)
		packages = append(packages, m.packages...)
	}
	manifest, err := json.Marshal(map[string]any{"name": "modules", "version": "1.0.0", "private": true, "dependencies": dependencies})
	if err != nil {
		t.Fatal(err)
	}
	config := "[project]\nname = \"modules\"\nplatforms = " + quoted(platforms) + "\n\n[sysroot]\nglibc = \"2.36\"\npackages = " + quoted(packages) + "\n\n[platform.\"linux/riscv64\"]\nglibc = \"2.41\"\n\n" +
		"[target.modules]\nrecipe = \"node-gyp\"\nkind = \"app\"\nnode = [\"20\"]\n"
	dir := write(t, map[string]string{"xbuild.toml": config, "package.json": string(manifest), "test.js": nodeTest(modules)})
	if r := xbuild(t, dir, "exec", "-q", "--", "npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"); r.code != 0 {
		t.Fatalf("npm install --package-lock-only: %v\n(this test fetches from the Debian archive and an npm registry; without a network run go test -short)", r)
	}
	return dir
}

var nodePlatforms = []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "linux/riscv64"}

// TestNodeModules builds modules of the npm registry from source inside an application and exercises each in the
// platform's own Node. Without XBUILD_E2E=full each module is built for one platform, and each platform has one module.
func TestNodeModules(t *testing.T) {
	needNetwork(t)
	measured := map[string]map[string]string{}
	var mu sync.Mutex
	t.Cleanup(func() { // when all of them have ended
		if full() && !t.Failed() {
			compareTables(t, "../docs/recipes/node-gyp.md", map[string]string{"modules": nodeTable(measured)})
		}
	})
	for _, name := range nodePlatforms {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			var modules []nodeModule
			for _, m := range nodeModules {
				if full() && !slices.Contains(m.refuses, name) || m.platform == name {
					modules = append(modules, m)
				}
			}
			dir := nodeProject(t, []string{name}, modules)
			build(t, dir)
			if t.Failed() {
				return
			}
			p, err := platform.Parse(name)
			if err != nil {
				t.Fatal(err)
			}
			app := filepath.Join(dir, "dist", p.Docker, "app")
			for _, m := range modules {
				for _, left := range []string{"prebuilds", "binding.gyp", "build/Release/obj.target"} {
					if _, err := os.Stat(filepath.Join(app, "node_modules", m.name, left)); err == nil {
						t.Errorf("%s of %s is in the application", left, m.name)
					}
				}
			}
			start := time.Now()
			r := inNode(t, dir, name, "20", filepath.Join(app, "test.js"))
			if r.code != 0 || !strings.Contains(r.stdout, p.Node+" v20.") {
				t.Fatalf("%s: %v", name, r)
			}
			t.Logf("%s in %.1f s", strings.Join(strings.Fields(r.stdout), " "), time.Since(start).Seconds())
			mu.Lock()
			defer mu.Unlock()
			measured[name] = map[string]string{}
			for _, m := range modules {
				if !strings.Contains(r.stdout, "ok "+m.name+"\n") {
					t.Errorf("%s was not exercised: %v", m.name, r)
					continue
				}
				measured[name][m.name] = "yes"
			}
		})
	}
}

// nodeTable is the table of what was built and exercised, in the recipe's page.
func nodeTable(measured map[string]map[string]string) string {
	var b strings.Builder
	b.WriteString("| module | " + strings.Join(nodePlatforms, " | ") + " |\n|-|" + strings.Repeat("-|", len(nodePlatforms)) + "\n")
	for _, m := range nodeModules {
		fmt.Fprintf(&b, "| %s %s |", m.name, m.version)
		for _, p := range nodePlatforms {
			cell := measured[p][m.name]
			if slices.Contains(m.refuses, p) {
				cell = "refused by its sources"
			}
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestNodePrebuilds builds a module of Node-API and one of V8 for several versions of Node, and loads them in each
// version through node-gyp-build.
func TestNodePrebuilds(t *testing.T) {
	needNetwork(t)
	versions := []string{"20", "22", "24"}
	platforms := []string{"linux/amd64", "linux/arm64"}
	sources := map[string]string{
		"api/package.json": `{ "name": "@scope/api", "version": "1.0.0" }`,
		"api/binding.gyp":  `{ "targets": [{ "target_name": "api", "sources": ["api.c"] }] }`,
		"api/api.c": `#include <node_api.h>
NAPI_MODULE_INIT() {
    napi_value v;
    napi_create_string_utf8(env, "Node-API", NAPI_AUTO_LENGTH, &v);
    return v;
}
`,
		"engine/package.json": `{ "name": "engine", "version": "1.0.0" }`,
		// A generator that is compiled for the host and run while the module is built.
		"engine/binding.gyp": `{ "targets": [
  { "target_name": "words", "type": "executable", "toolsets": ["host"], "sources": ["words.c"] },
  { "target_name": "engine", "sources": ["engine.cc"], "include_dirs": ["<(INTERMEDIATE_DIR)"], "dependencies": ["words#host"],
    "actions": [{ "action_name": "words", "inputs": ["<(PRODUCT_DIR)/words"], "outputs": ["<(INTERMEDIATE_DIR)/words.h"], "action": ["<(PRODUCT_DIR)/words", "<@(_outputs)"] }] }
] }
`,
		"engine/words.c": `#include <stdio.h>
int main(int argc, char **argv) { FILE *f = fopen(argv[1], "w"); fprintf(f, "#define WORD \"V8\"\n#define HOST_POINTER %d\n", (int)sizeof(void *)); return fclose(f); }
`,
		"engine/engine.cc": `#include <node.h>
#include "words.h"
static void Init(v8::Local<v8::Object> exports, v8::Local<v8::Value> module, void *) {
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    v8::Local<v8::Context> context = isolate->GetCurrentContext();
    exports->Set(context, v8::String::NewFromUtf8(isolate, "word").ToLocalChecked(), v8::String::NewFromUtf8(isolate, WORD).ToLocalChecked()).Check();
    exports->Set(context, v8::String::NewFromUtf8(isolate, "abi").ToLocalChecked(), v8::Integer::New(isolate, NODE_MODULE_VERSION)).Check();
    exports->Set(context, v8::String::NewFromUtf8(isolate, "host").ToLocalChecked(), v8::Integer::New(isolate, HOST_POINTER)).Check();
}
NODE_MODULE_CONTEXT_AWARE(engine, Init)
`,
		"use/package.json": `{ "name": "use", "version": "1.0.0", "dependencies": { "node-gyp-build": "4.8.4" } }`,
		"use/test.js": `const load = require('node-gyp-build'), path = require('path');
const api = process.argv[2], engine = process.argv[3];
const e = load(engine);
if (String(e.abi) !== process.versions.modules || e.word !== 'V8' || e.host !== 8) throw new Error(JSON.stringify(e));
console.log(load(api), path.basename(load.resolve(engine)), process.version);
`,
		"xbuild.toml": "[project]\nplatforms = " + quoted(platforms) + "\n[sysroot]\nglibc = \"2.31\"\n" +
			"[target.api]\nrecipe = \"node-gyp\"\nsource = \"api\"\ndest = \"api\"\nnode = " + quoted(versions) + "\n" +
			"[target.engine]\nrecipe = \"node-gyp\"\nsource = \"engine\"\ndest = \"engine\"\nnode = " + quoted(versions) + "\n",
	}
	dir := write(t, sources)
	build(t, dir)
	if t.Failed() {
		return
	}
	if r := xbuild(t, dir, "exec", "-q", "--", "npm", "install", "--prefix", "use", "--ignore-scripts", "--no-audit", "--no-fund"); r.code != 0 {
		t.Fatalf("npm install: %v", r)
	}
	for _, name := range platforms {
		p, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		api, engine := filepath.Join(dir, "dist", p.Docker, "api"), filepath.Join(dir, "dist", p.Docker, "engine")
		var got []string
		for _, d := range []string{api, engine} {
			found, err := filepath.Glob(filepath.Join(d, "prebuilds", "linux-"+p.Node, "*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				got = append(got, filepath.Base(f))
			}
		}
		if want := []string{"@scope+api.glibc.node", "engine.abi115.glibc.node", "engine.abi127.glibc.node", "engine.abi137.glibc.node"}; !slices.Equal(got, want) {
			t.Errorf("%s: prebuilds are %v, want %v", name, got, want)
		}
		for _, v := range versions {
			r := inNode(t, dir, name, v, "use/test.js", api, engine)
			if r.code != 0 || !strings.Contains(r.stdout, "Node-API engine.abi") || !strings.Contains(r.stdout, "v"+v+".") {
				t.Errorf("Node %s on %s: %v", v, name, r)
			}
		}
	}
	// Nothing changed: nothing is done. One file changed: one file is compiled, for each version.
	start := time.Now()
	if r := xbuild(t, dir, "build"); r.code != 0 || !strings.Contains(r.stderr, "0 built, 4 up to date") {
		t.Errorf("a second build: %v", r)
	}
	t.Logf("a build with nothing to do: %d ms", time.Since(start).Milliseconds())
	edit(t, filepath.Join(dir, "engine/engine.cc"), `"word"`, `"name"`)
	if r := xbuild(t, dir, "build", "-p", "linux/arm64"); r.code != 0 || !strings.Contains(r.stderr, "1 built, 1 up to date") {
		t.Errorf("a build after a change: %v", r)
	}
	log, err := os.ReadFile(filepath.Join(dir, ".xbuild/linux/arm64/engine/log"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(log), "  CXX(target)"); got != len(versions) || strings.Contains(string(log), "  CC(host)") {
		t.Errorf("%d files were compiled after a change of one, want one for each of %d versions:\n%s", got, len(versions), log)
	}
}

// TestNodeElsewhere builds a module in C++ that uses V8 for the platforms that Debian alone has a Node for, and loads
// it there: the oldest version of Node that is tested, 18, among them. Without XBUILD_E2E=full it is that one.
func TestNodeElsewhere(t *testing.T) {
	needNetwork(t)
	for _, c := range []struct{ platform, version, abi, more string }{
		{"linux/mips64le", "18", "108", ""},
		{"linux/386", "20", "115", ""},
		{"linux/loong64", "24", "137", ""},
	} {
		t.Run(strings.ReplaceAll(c.platform, "/", "-"), func(t *testing.T) {
			if !full() && c.version != "18" {
				t.Skip("XBUILD_E2E=full builds for this platform")
			}
			p, err := platform.Parse(c.platform)
			if err != nil {
				t.Fatal(err)
			}
			dir := write(t, map[string]string{
				"xbuild.toml": "[project]\nplatforms = " + quoted([]string{c.platform}) + "\n[platform.\"" + c.platform + "\"]\n" + c.more +
					"[target.engine]\nrecipe = \"node-gyp\"\nnode = [\"" + c.version + "\"]\n",
				"package.json": `{ "name": "engine", "version": "1.0.0" }`,
				"binding.gyp":  `{ "targets": [{ "target_name": "engine", "sources": ["engine.cc"] }] }`,
				"engine.cc": `#include <node.h>
#include <string>
static std::string word(int n) { return "V8 " + std::to_string(n); }
static void Init(v8::Local<v8::Object> exports, v8::Local<v8::Value>, void *) {
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    exports->Set(isolate->GetCurrentContext(), v8::String::NewFromUtf8(isolate, "word").ToLocalChecked(),
        v8::String::NewFromUtf8(isolate, word(NODE_MODULE_VERSION).c_str()).ToLocalChecked()).Check();
}
NODE_MODULE_CONTEXT_AWARE(engine, Init)
`,
			})
			build(t, dir)
			if t.Failed() {
				return
			}
			file := filepath.Join(dir, "dist", p.Docker, "prebuilds", "linux-"+p.Node, "engine.abi"+c.abi+".glibc.node")
			r := inNode(t, dir, c.platform, c.version, "-p", "[process.arch, process.version.split('.')[0], require(process.argv[1]).word].join(' ')", file)
			if want := p.Node + " v" + c.version + " V8 " + c.abi + "\n"; r.code != 0 || r.stdout != want {
				t.Errorf("%v, want %q", r, want)
			}
			if c.version != "18" {
				return
			}
			// The same as the target's test, which is run where the module was built; and one that has to fail.
			file = filepath.Join(dir, "xbuild.toml")
			config, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for abi, want := range map[string]string{c.abi: execute.Passed, "1": execute.Failed} {
				line := fmt.Sprintf(`test = 'node -e "process.exit(require(\"./build/Release/engine\").word === \"V8 %s\" ? 0 : 1)"'`, abi)
				if err := os.WriteFile(file, append(slices.Clip(config), line+"\n"...), 0o644); err != nil {
					t.Fatal(err)
				}
				code := 0
				if want == execute.Failed {
					code = 1
				}
				results, _ := tested(t, dir, code)
				if got := results["engine"][c.platform]; got.Result != want || !got.Emulated || !strings.HasPrefix(got.Node, "18.") {
					t.Errorf("xbuild test with word V8 %s: %+v, want it %s", abi, got, want)
				}
			}
		})
	}
}

// TestNodeExample builds examples/node and runs it in Node 24, the module's prebuilds from its own package.
func TestNodeExample(t *testing.T) {
	needNetwork(t)
	dir := example(t, "node")
	platforms := []string{"linux/amd64", "linux/arm64"} // those that npm has a Node 24 for
	args := []string{}
	if !full() {
		for _, p := range platforms {
			args = append(args, "-p", p)
		}
	}
	if r := xbuild(t, dir, append([]string{"fetch", "-q"}, args...)...); r.code != 0 {
		t.Fatalf("xbuild fetch: %v", r)
	}
	build(t, dir, append(args, "--offline")...) // npm's packages are in its cache now
	if t.Failed() {
		return
	}
	want := outputsOf(t, filepath.Join(dir, "README.md"))["app"]
	for _, name := range platforms {
		p, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		r := inNode(t, dir, name, "24", filepath.Join("dist", p.Docker, "app", "index.js"))
		if r.code != 0 || r.stdout != strings.Replace(want, "arm64", p.Node, 1) {
			t.Errorf("app for %s: %v\nwant:\n%s", name, r, want)
		}
	}
	r := xbuild(t, dir, append([]string{"test", "-q", "--json", "checksum"}, args...)...)
	var results []execute.TestResult
	if err := json.Unmarshal([]byte(r.stdout), &results); err != nil || r.code != 0 {
		t.Fatalf("%v %v", err, r)
	}
	passed := 0
	for _, x := range results {
		if x.Result == execute.Passed {
			passed++
		}
	}
	if !full() && (passed != 6 || len(results) != 6) {
		t.Errorf("the module was tested %d times in %d, want 3 versions on 2 platforms: %v", passed, len(results), r)
	}
}

// TestNodeTest tests modules in the platforms' own Nodes: a small one whose test starts further Nodes in every way that
// Node has, by npm test; then one of the npm registry, by its own test suite.
func TestNodeTest(t *testing.T) {
	needNetwork(t)
	t.Run("small", func(t *testing.T) {
		t.Parallel()
		dir := write(t, map[string]string{
			"xbuild.toml":  "[project]\nplatforms = [\"linux/s390x\"]\n[sysroot]\nglibc = \"2.36\"\n[target.sum]\nrecipe = \"node-gyp\"\nnode = [\"20\", \"22\"]\n",
			"package.json": `{ "name": "sum", "version": "1.0.0", "scripts": { "pretest": "npm run --silent say", "say": "echo said", "test": "node --test" } }`,
			"binding.gyp":  `{ "targets": [{ "target_name": "sum", "sources": ["sum.c"] }] }`,
			"sum.c": `#include <node_api.h>
#include <string.h>
static napi_value Bytes(napi_env env, napi_callback_info info) {
    napi_value v;
    unsigned n = 1, high;
    memcpy(&high, "\0\0\0\1", 4);
    napi_create_uint32(env, high == n, &v);
    return v;
}
NAPI_MODULE_INIT() {
    napi_value f;
    napi_create_function(env, "big", NAPI_AUTO_LENGTH, Bytes, NULL, &f);
    return f;
}
`,
			"sum.test.js": `const test = require('node:test'), { equal } = require('node:assert'), { execSync, execFileSync, fork } = require('node:child_process'), { Worker } = require('node:worker_threads');
const big = require('./build/Release/sum'), want = process.arch === 's390x' ? 1 : 0;
test('here', () => equal(big(), want));
test('a program', () => equal(String(execFileSync(process.execPath, ['-p', 'process.version + process.arch'], { env: { PATH: '/usr/bin:/bin' } })), process.version + process.arch + '\n'));
test('a shell', () => equal(String(execSync("node -p 'require(process.argv[1])()' ./build/Release/sum")), want + '\n'));
test('a fork', (t, done) => { fork('./child.js').on('message', (m) => { equal(m, want); done(); }); });
test('a worker', (t, done) => { new Worker("require('worker_threads').parentPort.postMessage(process.execPath)", { eval: true }).on('message', (m) => { equal(m, process.execPath); done(); }); });
`,
			"child.js": "process.send(require('./build/Release/sum')());\n",
		})
		r := xbuild(t, dir, "test", "-q", "--json")
		var got []execute.TestResult
		if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != 0 || len(got) != 2 {
			t.Fatalf("%v %v", err, r)
		}
		if x := got[0]; x.Result != execute.Passed || !x.Emulated || !strings.HasPrefix(x.Node, "20.") || !strings.Contains(x.Output, "said") || !strings.Contains(x.Output, "pass 5") {
			t.Errorf("Node 20: %+v", x)
		}
		if x := got[1]; x.Result != execute.Skipped || x.Node != "22" || !strings.HasPrefix(x.Reason, "there is no Node 22 for linux/s390x to be had; there are ") {
			t.Errorf("Node 22: %+v", x)
		}
		// A test that passes without the module is none of it.
		edit(t, filepath.Join(dir, "xbuild.toml"), `["20", "22"]`, `["20"]`+"\ntest = 'node -p 1'")
		results, _ := tested(t, dir, 1)
		if x := results["sum"]["linux/s390x"]; x.Result != execute.Failed || !strings.Contains(x.Reason, "no Node loaded the module (build/Release/sum.node)") {
			t.Errorf("a test without the module: %+v", x)
		}
	})
	both, v20 := []string{"linux/arm64", "linux/s390x"}, []string{"20"}
	for _, m := range []struct {
		name, version       string
		full                bool
		platforms, versions []string
		test                string   // the line of its target, where npm test is not what is run
		prebuilds           []string // of linux/arm64
	}{
		{"xxhash", "0.3.0", false, both, v20, "", []string{"xxhash.abi115.glibc.node"}}, // V8, through nan
		{"microtime", "3.1.1", true, both, v20, "", []string{"microtime.glibc.node"}},   // Node-API in C++, through node-addon-api
		// jest with its workers. One file sets a time limit of its own, of five seconds for 2500 hashes.
		{"bcrypt", "6.0.0", true, both, v20, `test = "npx jest --testTimeout=600000 --testPathIgnorePatterns=repetitions"`, []string{"bcrypt.glibc.node"}},
		// npm's package of it holds no tests.
		{"better-sqlite3", "12.11.1", true, both[:1], []string{"20", "22", "24"}, `test = '''node -e 'const D = require("."); if (new D(":memory:").prepare("select 6 * 7").pluck().get() !== 42) process.exit(1)' '''`,
			[]string{"better-sqlite3.abi115.glibc.node", "better-sqlite3.abi127.glibc.node", "better-sqlite3.abi137.glibc.node"}},
	} {
		t.Run(m.name, func(t *testing.T) {
			if m.full && !full() {
				t.Skip("XBUILD_E2E=full runs this suite")
			}
			t.Parallel()
			dir := write(t, map[string]string{
				"xbuild.toml": "[project]\nplatforms = " + quoted(m.platforms) + "\n[sysroot]\nglibc = \"2.36\"\n[target.module]\nrecipe = \"node-gyp\"\nsource = \"package\"\nnode = " + quoted(m.versions) + "\n" +
					m.test + "\n",
				"package/package.json": "{}", // its own replaces it
			})
			for _, c := range [][]string{
				{"sh", "-c", "tar xzf \"$(npm pack -s " + m.name + "@" + m.version + ")\" -C package --strip-components 1"},
				{"npm", "install", "--prefix", "package", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"},
			} {
				if r := xbuild(t, dir, append([]string{"exec", "-q", "--"}, c...)...); r.code != 0 {
					t.Fatalf("%s: %v", strings.Join(c, " "), r)
				}
			}
			r := xbuild(t, dir, "test", "-q", "--json")
			var got []execute.TestResult
			if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != 0 || len(got) != len(m.platforms)*len(m.versions) {
				t.Fatalf("%v %v", err, r)
			}
			for i, x := range got {
				if x.Result != execute.Passed || !x.Emulated || !strings.HasPrefix(x.Node, m.versions[i%len(m.versions)]+".") {
					t.Errorf("%+v", x)
				} else {
					t.Logf("%s %s on %s in Node %s: %.1f s", m.name, m.version, x.Platform, x.Node, x.Seconds)
				}
			}
			var prebuilds []string
			entries, err := os.ReadDir(filepath.Join(dir, "dist/linux/arm64/prebuilds/linux-arm64"))
			for _, e := range entries {
				prebuilds = append(prebuilds, e.Name())
			}
			if err != nil || !slices.Equal(prebuilds, m.prebuilds) {
				t.Errorf("prebuilds are %v, want %v (%v)", prebuilds, m.prebuilds, err)
			}
		})
	}
}

// TestNodeTools builds a module with cmake-js and, with XBUILD_E2E=full, one with napi-rs: both through their own
// conventions.
func TestNodeTools(t *testing.T) {
	needNetwork(t)
	t.Run("cmake-js", func(t *testing.T) {
		dir := write(t, map[string]string{
			"xbuild.toml":  "[project]\nplatforms = [\"linux/arm64\"]\n[sysroot]\nglibc = \"2.31\"\n[target.tool]\nrecipe = \"node-gyp\"\nnode = [\"20\"]\ncmake = true\n",
			"package.json": `{ "name": "tool", "version": "1.0.0", "scripts": { "install": "cmake-js compile" }, "dependencies": { "cmake-js": "8.0.0", "node-addon-api": "8.9.2" } }`,
			"CMakeLists.txt": `cmake_minimum_required(VERSION 3.15)
project(tool CXX)
add_library(${PROJECT_NAME} SHARED tool.cc ${CMAKE_JS_SRC})
set_target_properties(${PROJECT_NAME} PROPERTIES PREFIX "" SUFFIX ".node")
target_include_directories(${PROJECT_NAME} PRIVATE ${CMAKE_JS_INC} ${CMAKE_SOURCE_DIR}/node_modules/node-addon-api)
target_link_libraries(${PROJECT_NAME} PRIVATE ${CMAKE_JS_LIB})
`,
			"tool.cc": `#include <napi.h>
static Napi::Object Init(Napi::Env env, Napi::Object exports) {
    exports.Set("tool", Napi::String::New(env, "cmake-js"));
    return exports;
}
NODE_API_MODULE(tool, Init)
`,
		})
		toolProject(t, dir, "prebuilds/linux-arm64/tool.glibc.node", "require(process.argv[1]).tool", "cmake-js")
	})
	t.Run("napi-rs", func(t *testing.T) {
		if !full() {
			t.Skip("compiles fifty crates; XBUILD_E2E=full runs it")
		}
		dir := write(t, map[string]string{
			"xbuild.toml":  "[project]\nplatforms = [\"linux/arm64\"]\n[toolchains]\nrust = \"^1.90\"\n[sysroot]\nglibc = \"2.36\"\n[target.tool]\nrecipe = \"node-gyp\"\ncargo = true\n",
			"package.json": `{ "name": "tool", "version": "1.0.0", "napi": { "binaryName": "tool", "targets": ["aarch64-unknown-linux-gnu"] }, "devDependencies": { "@napi-rs/cli": "3.10.12" } }`,
			"Cargo.toml":   "[package]\nname = \"tool\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\ncrate-type = [\"cdylib\"]\n[dependencies]\nnapi = \"2\"\nnapi-derive = \"2\"\n[build-dependencies]\nnapi-build = \"2\"\n",
			"build.rs":     "fn main() { napi_build::setup(); }\n",
			"src/lib.rs":   "use napi_derive::napi;\n#[napi]\npub fn tool() -> String { \"napi-rs\".to_string() }\n",
		})
		toolProject(t, dir, "tool.linux-arm64-gnu.node", "require(process.argv[1]).tool()", "napi-rs")
	})
}

// toolProject locks, builds and loads a module for linux/arm64.
func toolProject(t *testing.T, dir, file, expression, want string) {
	t.Helper()
	if r := xbuild(t, dir, "exec", "-q", "--", "npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"); r.code != 0 {
		t.Fatalf("npm install --package-lock-only: %v", r)
	}
	build(t, dir)
	if t.Failed() {
		return
	}
	r := inNode(t, dir, "linux/arm64", "20", "-p", expression, filepath.Join(dir, "dist/linux/arm64", file))
	if r.code != 0 || r.stdout != want+"\n" {
		t.Errorf("%s: %v, want %q", file, r, want)
	}
}

// TestNodeMusl builds a module in C and one in C++ over musl. There is no Node over musl here to run them in: they must
// have no C library of their own, and want none by name, so that they take that of any Node that loads them. On
// linux/amd64 a small program with musl's dynamic library, from the archive's package musl, stands for Node: it loads
// each module and calls it, and its one function of Node-API takes what the module made. A module that calls what it
// cannot call over musl is refused.
func TestNodeMusl(t *testing.T) {
	needNetwork(t)
	config := func(platforms, name string) string {
		return "[project]\nplatforms = [" + platforms + "]\n[sysroot]\nlibc = \"musl\"\n[target." + name + "]\nrecipe = \"node-gyp\"\nnode = [\"20\"]\n"
	}
	names := []string{"linux/amd64"}
	if full() {
		names = []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "linux/riscv64"}
	}
	dir := write(t, map[string]string{
		"c/xbuild.toml":  config(`"linux/amd64"`, "heap"),
		"c/package.json": `{ "name": "heap", "version": "1.0.0" }`,
		"c/binding.gyp":  `{ "targets": [{ "target_name": "heap", "sources": ["heap.c"] }] }`,
		"c/heap.c": `#include <node_api.h>
#include <stdlib.h>
#include <string.h>
NAPI_MODULE_INIT() {
    napi_value v;
    char *s = malloc(16);
    strcpy(s, "musl");
    napi_create_string_utf8(env, s, NAPI_AUTO_LENGTH, &v);
    free(s);
    return v;
}
`,
		"cxx/xbuild.toml":  config(strings.Trim(quoted(names), "[]"), "cxx"),
		"cxx/package.json": `{ "name": "cxx", "version": "1.0.0" }`,
		"cxx/binding.gyp":  `{ "targets": [{ "target_name": "cxx", "sources": ["cxx.cc"], "cflags_cc!": ["-fno-exceptions", "-fno-rtti"] }] }`,
		"cxx/cxx.cc": `#include <node_api.h>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
static std::string thrown() {
    std::string s;
    std::thread t([&s] {
        try {
            throw std::runtime_error("thrown in a thread");
        } catch (const std::exception &e) {
            std::ostringstream o;
            o << e.what() << ' ' << 1.5;
            s = o.str();
        }
    });
    t.join();
    return s;
}
NAPI_MODULE_INIT() {
    napi_value v;
    std::string s = thrown();
    napi_create_string_utf8(env, s.data(), s.size(), &v);
    return v;
}
`,
		"v8/xbuild.toml":  config(`"linux/amd64"`, "store"),
		"v8/package.json": `{ "name": "store", "version": "1.0.0" }`,
		"v8/binding.gyp":  `{ "targets": [{ "target_name": "store", "sources": ["store.cc"] }] }`,
		"v8/store.cc": `#include <node.h>
static void Make(const v8::FunctionCallbackInfo<v8::Value> &args) {
    args.GetReturnValue().Set(v8::ArrayBuffer::New(args.GetIsolate(), v8::ArrayBuffer::NewBackingStore(args.GetIsolate(), 16)));
}
NODE_MODULE_INIT() { NODE_SET_METHOD(exports, "make", Make); }
`,
		"c/host.c": `#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
int napi_create_string_utf8(void *env, const char *s, size_t n, void **v) { *v = n == (size_t)-1 ? strdup(s) : strndup(s, n); return 0; }
int main(int argc, char **argv) {
    void *module = dlopen(argv[1], RTLD_NOW), *(*init)(void *, void *) = module ? dlsym(module, "napi_register_module_v1") : 0;
    if (!init) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    puts(init(0, 0));
    return 0;
}
`,
		"libc/xbuild.toml": "[project]\nplatforms = [\"linux/amd64\"]\n[sysroot]\nsuite = \"bookworm\"\npackages = [\"musl\"]\n",
	})
	build(t, filepath.Join(dir, "c"))
	build(t, filepath.Join(dir, "cxx"))
	if r := xbuild(t, filepath.Join(dir, "v8"), "build", "-q"); r.code == 0 || !strings.Contains(r.stderr, "_ZN2v811ArrayBuffer3NewEPNS_7IsolateENSt3__110shared_ptrI") || !strings.Contains(r.stderr, `libc = "gnu"`) {
		t.Errorf("a module that hands V8 a shared_ptr: %v", r)
	}
	if t.Failed() {
		return
	}
	modules := []string{filepath.Join(dir, "c/dist/linux/amd64/prebuilds/linux-x64/heap.musl.node")}
	for _, name := range names {
		p, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		arm := ""
		if p.Docker == "linux/arm/v7" {
			arm = "armv7."
		}
		modules = append(modules, filepath.Join(dir, "cxx/dist", p.Docker, "prebuilds", "linux-"+p.Node, "cxx."+arm+"musl.node"))
	}
	for _, file := range modules {
		f, err := elf.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		needed, err := f.ImportedLibraries()
		if err != nil || len(needed) > 0 {
			t.Errorf("%s wants %q by name (%v)", file, needed, err)
		}
		symbols, err := f.DynamicSymbols()
		if err != nil {
			t.Fatal(err)
		}
		malloc := false
		for _, s := range symbols {
			malloc = malloc || s.Name == "malloc" && s.Section == elf.SHN_UNDEF
			// A template of the headers is the module's own as any other of its functions; the library's and the
			// unwinder's must not meet those of the Node that loads it.
			if strings.HasPrefix(s.Name, "_Unwind_") || strings.HasPrefix(s.Name, "__cxa_throw") || s.Name == "_Znwm" || s.Section == elf.SHN_UNDEF && strings.HasPrefix(s.Name, "_Z") {
				t.Errorf("%s shows or wants %s", file, s.Name)
			}
		}
		if !malloc {
			t.Errorf("%s does not ask for malloc: it has a heap of its own", file)
		}
	}
	const find = `cc -print-file-name=x86_64-linux-musl/libc.so`
	libc := xbuild(t, filepath.Join(dir, "libc"), "exec", "-q", "-p", "linux/amd64", "--", "sh", "-c", find)
	link := `set -e; f() { cc -print-file-name="$1"; }
cc -fPIE -c host.c -o host.o
ld -pie --export-dynamic --dynamic-linker "$0" -o host "$(f Scrt1.o)" "$(f crti.o)" host.o "$0" "$(f crtn.o)"`
	if r := xbuild(t, filepath.Join(dir, "c"), "exec", "-q", "-p", "linux/amd64", "--", "sh", "-c", link, strings.TrimSpace(libc.stdout)); libc.code != 0 || r.code != 0 {
		t.Fatalf("the program that loads modules: %v\n%v", libc, r)
	}
	for i, want := range []string{"musl", "thrown in a thread 1.5"} {
		out, err := exec.Command(filepath.Join(dir, "c/host"), modules[i]).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s: %s (%v), want %s", modules[i], out, err, want)
		}
	}
}

// TestNodeWorkspaces builds an application in a workspace of each package manager, each in the version that its
// package.json names: its packages, one of the workspace among them, a native one that is compiled and one that npm has
// for each platform. It runs where dist is all that there is.
func TestNodeWorkspaces(t *testing.T) {
	needNetwork(t)
	globs := `, "workspaces": ["packages/*"]`
	for _, c := range []struct{ name, locks, manager, lib, modules string }{
		{"npm 11", "npm", "npm@11.21.2\"" + globs, "1.0.0", "node_modules"},
		{"pnpm 9", "pnpm", `pnpm@9.15.9"`, "workspace:*", "node_modules/.pnpm/bufferutil@4.1.0/node_modules"},
		{"pnpm 10", "pnpm", `pnpm@10.34.8+sha512.0123"`, "workspace:*", "node_modules/.pnpm/bufferutil@4.1.0/node_modules"},
		{"pnpm 11", "pnpm", `pnpm@^11"`, "workspace:*", "node_modules/.pnpm/bufferutil@4.1.0/node_modules"},
		{"yarn 1", "yarn1", "yarn@1.22.22\"" + globs, "1.0.0", "node_modules"},
		{"yarn 4", "yarn4", "yarn@4.18.1\"" + globs, "workspace:*", "node_modules"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !full() && slices.Contains([]string{"pnpm 9", "pnpm 11", "yarn 1"}, c.name) {
				t.Skip("with XBUILD_E2E=full alone")
			}
			t.Parallel()
			dir := write(t, map[string]string{
				"xbuild.toml": `
[project]
platforms = ["linux/arm64"]

[target.svc]
recipe = "node-gyp"
kind = "app"
source = "packages/svc"
prebuilt = ["@node-rs/*"]
unaudited = ["app/**/crc32.*.node"] # it asks the machine
`,
				"package.json":              `{ "name": "mono", "private": true, "version": "1.0.0", "packageManager": "` + c.manager + ` }`,
				"packages/svc/package.json": `{ "name": "svc", "version": "1.0.0", "dependencies": { "@mono/lib": "` + c.lib + `", "bufferutil": "4.1.0", "@node-rs/crc32": "1.10.6" }, "devDependencies": { "is-number": "7.0.0" } }`,
				"packages/svc/index.js": `
const { mask } = require('bufferutil'), out = Buffer.alloc(4);
mask(Buffer.from('abcd'), Buffer.from([1, 2, 3, 4]), out, 0, 4);
console.log(require('@mono/lib')(1000), out.toString('hex'), require('@node-rs/crc32').crc32('hello'), process.arch);
`,
				"packages/lib/package.json":   `{ "name": "@mono/lib", "version": "1.0.0", "dependencies": { "ms": "2.1.3" } }`,
				"packages/lib/index.js":       "module.exports = t => require('ms')(t);\n",
				"packages/other/package.json": `{ "name": "other", "version": "1.0.0", "dependencies": { "ms": "2.0.0" } }`,
			})
			if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata/workspaces", c.locks))); err != nil {
				t.Fatal(err)
			}
			if r := xbuild(t, dir, "build", "-q"); r.code != 0 {
				t.Fatal(r)
			}
			app := filepath.Join(t.TempDir(), "app")
			if err := os.Rename(built(dir, "linux/arm64", "app"), app); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(app, c.modules, "bufferutil/build/Release/bufferutil.node")); err != nil {
				t.Error(err)
			}
			err := filepath.WalkDir(app, func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				for _, not := range []string{"other", "is-number", "bufferutil/prebuilds", "crc32-linux-arm64-musl", "crc32-linux-x64-gnu"} {
					if strings.HasSuffix(path, "/"+not) {
						t.Errorf("%s is laid out", path)
					}
				}
				if _, err := os.Stat(path); d.Type()&fs.ModeSymlink != 0 && err != nil {
					t.Errorf("a link to nothing: %v", err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			r := inNode(t, filepath.Join(app, "packages", "svc"), "linux/arm64", "24", "index.js")
			if r.code != 0 || r.stdout != "1s 60606060 907060870 arm64\n" {
				t.Errorf("%v", r)
			}
		})
	}
}

// TestNodeBuildsItsLibrary: a module whose build makes a shared library beside it, which it finds by $ORIGIN, is laid out
// with that; and make with several jobs that comes to a file before what makes it, which binding.gyp does not say, is
// run once more with one job.
func TestNodeBuildsItsLibrary(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml": `[project]
platforms = ["linux/arm64"]
[target.app]
recipe = "node-gyp"
kind = "app"
`,
		"package.json":      `{ "name": "app", "version": "1.0.0", "main": "index.js" }`,
		"package-lock.json": `{ "name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": { "": { "name": "app", "version": "1.0.0" } } }`,
		"index.js":          "console.log(require('./build/Release/app.node').value)\n",
		"dep.c":             "int dep(void) { return VALUE; }\n",
		"app.c": `#include <node_api.h>
int dep(void);
NAPI_MODULE_INIT() {
  napi_value v;
  napi_create_int32(env, dep(), &v);
  napi_set_named_property(env, exports, "value", v);
  return exports;
}
`,
		"make.sh": `set -e
mkdir -p build/deps made
sleep 2
echo '#define VALUE 7' >made/config.h
"$CC" -shared -fPIC -Wl,-soname,libdep.so.1 -include made/config.h dep.c -o build/deps/libdep.so.1
ln -sf libdep.so.1 build/deps/libdep.so
touch made/stamp
`,
		// The second action reads config.h, and nothing says that the first one makes it.
		"binding.gyp": `{ "targets": [
  { "target_name": "a", "type": "none", "actions": [{ "action_name": "dep", "inputs": ["dep.c"], "outputs": ["made/stamp"], "action": ["sh", "make.sh"] }] },
  { "target_name": "b", "type": "none", "actions": [{ "action_name": "copy", "inputs": ["made/config.h"], "outputs": ["made/copy.h"], "action": ["cp", "made/config.h", "made/copy.h"] }] },
  { "target_name": "app", "sources": ["app.c"], "dependencies": ["a", "b"],
    "libraries": ["-L<(module_root_dir)/build/deps", "-ldep", "-Wl,-rpath,'$$ORIGIN/../deps'"] }
] }
`,
	})
	r := xbuild(t, dir, "build", "-j", "2")
	if r.code != 0 {
		t.Fatalf("build: %v", r)
	}
	log, err := os.ReadFile(filepath.Join(dir, ".xbuild/linux/arm64/app/log"))
	if err != nil || !strings.Contains(string(log), "No rule to make target") || !strings.Contains(string(log), "once more, one job at a time") {
		t.Errorf("make was not too early: %v\n%s", err, log)
	}
	r = xbuild(t, dir, "run", "-q", "-p", "linux/arm64", "--node", "24", "dist/linux/arm64/app/index.js")
	if r.code != 0 || r.stdout != "7\n" {
		t.Errorf("run: %v", r)
	}
}
