package rust

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// messages are lines as cargo prints them, shortened to what is read and a key that is not.
const messages = `{"reason":"compiler-artifact","manifest_path":"/home/me/.cargo/registry/src/x/serde-1.0.0/Cargo.toml","target":{"kind":["lib"]},"filenames":["/t/libserde.rlib","/t/libserde.rmeta"],"executable":null}
{"reason":"compiler-artifact","manifest_path":"/home/me/.cargo/registry/src/x/dep-1.0.0/Cargo.toml","target":{"kind":["cdylib"]},"filenames":["/t/libdep.so"],"executable":null}
{"reason":"build-script-executed","package_id":"x","linked_libs":[]}
{"reason":"compiler-artifact","manifest_path":"/src/ws/lib/Cargo.toml","target":{"kind":["custom-build"]},"filenames":["/t/build/build-script-build"],"executable":null}
a linker that prints to standard output
{"reason":"compiler-artifact","manifest_path":"/src/ws/lib/Cargo.toml","target":{"kind":["cdylib","rlib","staticlib"]},"filenames":["/t/libws.so","/t/libws.rlib","/t/libws.a"],"executable":null}
{"reason":"compiler-artifact","manifest_path":"/src/ws/macros/Cargo.toml","target":{"kind":["proc-macro"]},"filenames":["/t/libmacros.so"],"executable":null}
{"reason":"compiler-artifact","manifest_path":"/src/ws/tool/Cargo.toml","target":{"kind":["bin"]},"filenames":["/t/tool"],"executable":"/t/tool"}
{"reason":"compiler-artifact","manifest_path":"/src/ws/tool/Cargo.toml","target":{"kind":["example"]},"filenames":["/t/examples/demo"],"executable":"/t/examples/demo"}
{"reason":"compiler-artifact","manifest_path":"/src/wsother/Cargo.toml","target":{"kind":["bin"]},"filenames":["/t/other"],"executable":"/t/other"}
{"reason":"compiler-artifact","manifest_path":"/src/ws/win/Cargo.toml","target":{"kind":["cdylib"]},"filenames":["/t/win.dll","/t/libwin.dll.a","/t/win.pdb"],"executable":null}
{"reason":"build-finished","success":true}
`

func TestCargoOutputs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cargo.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(messages)
	got, err := outputs(file, "/src/ws")
	if want := []string{"/t/libws.so", "/t/libws.a", "/t/tool", "/t/examples/demo", "/t/win.dll"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("outputs = %q, %v, want %q", got, err, want)
	}
	write("{\"reason\":\n")
	if _, err := outputs(file, "/src/ws"); err == nil || !strings.Contains(err.Error(), file+":1: ") {
		t.Errorf("half a message: error %v, want one with file and line", err)
	}
	if _, err := outputs(file+".none", "/src/ws"); err == nil {
		t.Error("no file, and no error")
	}
}

// FuzzCargoOutputs: whatever is in the file, no panic, and no file that cargo keeps for itself.
func FuzzCargoOutputs(f *testing.F) {
	f.Add(messages)
	f.Add("{}\n{\"target\":null}")
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "cargo.json")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := outputs(file, "/src/ws")
		if err == nil && slices.ContainsFunc(out, func(f string) bool { return filepath.Ext(f) == ".rlib" }) {
			t.Errorf("outputs %q", out)
		}
	})
}
