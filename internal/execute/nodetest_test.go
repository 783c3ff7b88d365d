package execute

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/node"
)

// addon is a module that asks Node for a function of Node-API: an ELF file of linux/s390x with a dynamic symbol table
// and no more.
func addon(t *testing.T) string {
	t.Helper()
	strs, names := "\x00napi_create_double\x00", "\x00.dynsym\x00.dynstr\x00.shstrtab\x00"
	at := uint64(64)
	data := func(size int) (off, n uint64) {
		off, n = at, uint64(size)
		at += n
		return off, n
	}
	sections := make([]elf.Section64, 4)
	for i, s := range []struct {
		name uint32
		kind elf.SectionType
		size int
	}{{1, elf.SHT_DYNSYM, 2 * elf.Sym64Size}, {9, elf.SHT_STRTAB, len(strs)}, {17, elf.SHT_STRTAB, len(names)}} {
		off, size := data(s.size)
		sections[i+1] = elf.Section64{Name: s.name, Type: uint32(s.kind), Off: off, Size: size, Addralign: 1}
	}
	sections[1].Link, sections[1].Entsize = 2, elf.Sym64Size
	h := elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2MSB), 1}, Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_S390), Version: 1, Shoff: at, Ehsize: 64,
		Phentsize: 56, Shentsize: 64, Shnum: 4, Shstrndx: 3}
	var b bytes.Buffer
	for _, part := range []any{h, [2]elf.Sym64{1: {Name: 1, Info: elf.ST_INFO(elf.STB_GLOBAL, elf.STT_NOTYPE)}}, []byte(strs), []byte(names), sections} {
		if err := binary.Write(&b, binary.BigEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// nodeTested builds a target and tests it in a Node that is a script: it says how it was called, and that it loaded the
// file that the test names.
func nodeTested(t *testing.T, b *bench, build node.Build) (TestResult, *action.Action) {
	t.Helper()
	a := b.node("linux/s390x", build)
	b.one(a)
	fake := b.write("xbuild", `#!/bin/sh
echo "xbuild $*"
while [ "$1" != -- ]; do shift; done
[ -z "$3" ] || echo "$PWD/$3" >> `+filepath.Dir(a.Build)+`/tested-node/bin/loaded
`)
	if err := os.Chmod(fake, 0o755); err != nil {
		t.Fatal(err)
	}
	npm := b.write("tools/npm", `#!/bin/sh
echo "$@" >> `+b.dir+`/npm.calls
case $1 in
ci) cp -r `+b.dir+`/fixture/. . ;;
run) echo "of $2" > $2.js ;;
test) sh ./test.sh ;;
esac`)
	if err := os.Chmod(npm, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(b.write("tools/npx", "#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.opt.XBuild = fake
	step := *a.Steps[0].Node
	a.Test = []action.Step{{Name: "npm test", Dir: a.Build, Command: []string{"npm", "test"}, Node: &step, Env: env.Environment{{Name: "XBUILD_PROJECT", Value: "/project"}, {Name: "XBUILD_STORE", Value: "/store"}},
		In: &action.NodeTest{Range: "24", Headers: step.Headers[0], Node: action.Node{Version: "24.1.0", Program: "/tree/node", Root: compose.Sysroot{Dir: "/root"}}}}}
	results, err := RunTests(t.Context(), []Test{{Action: a, Steps: a.Test}}, TestOptions{Options: b.opt})
	if err != nil {
		t.Fatal(err)
	}
	return results[0], a
}

// TestNodeTest: a module is tested as it is in dist, with its devDependencies, by a node on PATH that is the
// platform's; and counts as tested only where that loaded it.
func TestNodeTest(t *testing.T) {
	for _, c := range []struct{ name, test, result, reason string }{
		{"passes", "node build/Release/addon.node", Passed, ""},
		{"fails", "node build/Release/addon.node; exit 3", Failed, "npm test: npm ended with exit status 3"},
		{"loads nothing", "node", Failed, "npm test: it ended well, but no Node loaded the module (build/Release/addon.node): what was tested is JavaScript alone"},
		{"loads another's", "node node_modules/other/other.node", Failed, "npm test: it ended well, but no Node loaded the module (build/Release/addon.node): what was tested is JavaScript alone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := nodeBench(t, map[string]string{
				"src/package.json": `{"name": "addon", "scripts": {"test": "node --test", "prepare": "tsc"}, "devDependencies": {"dev": "1"}}`, "src/package-lock.json": lockfile, "src/binding.gyp": "{}", "src/test.sh": c.test,
				"fixture/node_modules/dev/package.json": `{"name": "dev", "version": "1.0.0"}`,
			})
			b.write("src/elf", addon(t))
			r, a := nodeTested(t, b, node.Build{})
			if r.Result != c.result || r.Reason != c.reason || r.Node != "24.1.0" {
				t.Fatalf("%+v", r)
			}
			run := "xbuild run -q --project /project --store /store -p linux/s390x --sysroot /root -- /tree/node"
			if !strings.Contains(r.Output, run) {
				t.Errorf("node was not %q:\n%s", run, r.Output)
			}
			if calls := b.read("npm.calls"); !strings.Contains(calls, "--include=dev --prefer-offline --os=linux --cpu=s390x --libc=glibc\ntest\n") {
				t.Errorf("npm was called with\n%s", calls)
			}
			work, err := filepath.Rel(b.dir, filepath.Dir(a.Build))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"build/Release/addon.node", "prebuilds/linux-s390x/addon.glibc.node"} {
				if got := b.read(filepath.Join(work, "tested", name)); got != addon(t) {
					t.Errorf("%s is not that of dist", name)
				}
			}
			if got := b.read(filepath.Join(work, "tested/prepare.js")); got != "of prepare\n" {
				t.Errorf("what the script prepare made is %q", got)
			}
			// What a test left behind is gone in the next; what npm installed is not installed again.
			b.write(filepath.Join(work, "tested", "left"), "")
			if again, err := RunTests(t.Context(), []Test{{Action: a, Steps: a.Test}}, TestOptions{Options: b.opt}); err != nil || again[0].Result != c.result {
				t.Errorf("once more: %+v, %v", again, err)
			}
			if b.exists(filepath.Join(work, "tested", "left")) || strings.Count(b.read("npm.calls"), "--include=dev") != 1 || !b.exists(filepath.Join(work, "tested/node_modules/dev")) {
				t.Errorf("the second test: npm was called with\n%s", b.read("npm.calls"))
			}
		})
	}
}

// TestNodeFetch: what npm installs for a build is brought into its cache, and for tests only where they are asked for.
func TestNodeFetch(t *testing.T) {
	for tests, want := range map[bool]int{false: 0, true: 1} {
		b := nodeBench(t, map[string]string{"src/package.json": `{"name": "addon", "devDependencies": {"dev": "1"}}`, "src/package-lock.json": lockfile, "src/binding.gyp": "{}"})
		a := b.node("linux/s390x", node.Build{})
		a.Fetch = []action.Step{{Name: "npm ci", Node: a.Steps[0].Node}}
		a.Test = []action.Step{{In: &action.NodeTest{Range: "24"}}}
		b.opt.Tests = tests
		if err := os.MkdirAll(filepath.Dir(a.Build), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := Fetch(t.Context(), &action.Graph{Actions: []*action.Action{a}}, b.opt, func(string) {}); err != nil {
			t.Fatal(err)
		}
		calls := b.read("npm.calls")
		if strings.Count(calls, "ci ") != 1+want || strings.Count(calls, "--include=dev --prefer-offline --os=linux --cpu=s390x") != want {
			t.Errorf("with tests %v npm was called with\n%s", tests, calls)
		}
		if b.exists("src/node_modules") {
			t.Error("the source has node_modules now")
		}
	}
}

// TestNodeTestOfApp: an application is tested with devDependencies beside the packages of dist, of which nothing is
// npm's.
func TestNodeTestOfApp(t *testing.T) {
	b := nodeBench(t, map[string]string{
		"src/package.json": `{"name": "shop", "scripts": {"test": "node --test"}}`, "src/package-lock.json": lockfile, "src/test.sh": "node",
		"fixture/node_modules/a/package.json": `{"name": "a", "version": "1.0.0"}`, "fixture/node_modules/a/binding.gyp": "{}", "fixture/node_modules/a/prebuilds/linux-s390x/a.node": "of somebody",
		"fixture/node_modules/@p/b/package.json": `{"name": "@p/b", "version": "1.0.0"}`,
	})
	b.write("fixture/node_modules/a/elf", header(t, "linux/s390x", false))
	r, a := nodeTested(t, b, node.Build{App: true})
	if r.Result != Passed {
		t.Fatalf("%+v", r)
	}
	var got []string
	root := filepath.Join(filepath.Dir(a.Build), "tested")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"input", "node_modules/.package-lock.json", "node_modules/@p/b/package.json", "node_modules/a/build/Release/addon.node", "node_modules/a/elf", "node_modules/a/package.json",
		"package-lock.json", "package.json", "test.sh"}
	if !slices.Equal(got, want) {
		t.Errorf("the test's directory holds\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
}
