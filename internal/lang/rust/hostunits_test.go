package rust

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/env"
)

// hostMessages are cargo's, of a crate of the registry with a build script, one in the project, one vendored there, one of
// an older cargo, and what is compiled for the platform.
const hostMessages = `noise of a build script
{"reason":"compiler-artifact","package_id":"registry+https://x#syn@2.0.1","manifest_path":"/home/.cargo/registry/src/x/syn-2.0.1/Cargo.toml","filenames":["/b/target/release/deps/libsyn-0123456789abcdef.rlib","/b/target/release/deps/libsyn-0123456789abcdef.rmeta"]}
{"reason":"build-script-executed","package_id":"registry+https://x#syn@2.0.1","out_dir":"/b/target/release/build/syn-1111111111111111/out"}
{"reason":"build-script-executed","package_id":"registry+https://x#syn@2.0.1","out_dir":"/b/target/aarch64-unknown-linux-gnu/release/build/syn-2222222222222222/out"}
{"reason":"compiler-artifact","package_id":"registry+https://x#syn@2.0.1","manifest_path":"/home/.cargo/registry/src/x/syn-2.0.1/Cargo.toml","filenames":["/b/target/aarch64-unknown-linux-gnu/release/deps/libsyn-3333333333333333.rlib"]}
{"reason":"compiler-artifact","package_id":"path+file:///p/own#0.1.0","manifest_path":"/elsewhere/own/Cargo.toml","filenames":["/b/target/release/deps/libown-4444444444444444.so"]}
{"reason":"compiler-artifact","package_id":"registry+https://x#quote@1.0.0","manifest_path":"/p/vendor/quote/Cargo.toml","filenames":["/b/target/release/deps/libquote-5555555555555555.rlib"]}
{"reason":"compiler-artifact","package_id":"old 0.1.0 (path+file:///p/old)","manifest_path":"/elsewhere/old/Cargo.toml","filenames":["/b/target/release/deps/libold-6666666666666666.rlib"]}
{"reason":"build-finished","success":true}
`

func TestHostUnits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cargo.json")
	if err := os.WriteFile(file, []byte(hostMessages), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := hostUnits(file, "/b/target", "", "/p")
	want := map[string]map[string]bool{"release": {"0123456789abcdef": true, "1111111111111111": true}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestSameLinker(t *testing.T) {
	action := func(pairs ...string) *action.Action {
		a := &action.Action{Env: env.Environment{{Name: "CC", Value: pairs[1]}}}
		for i := 0; i < len(pairs); i += 2 {
			a.Env = append(a.Env, env.Var{Name: "CARGO_TARGET_" + pairs[i] + "_LINKER", Value: pairs[i+1]})
		}
		return a
	}
	arm, riscv, amd := action("AARCH64", "/arm", "X86_64", "/host"), action("RISCV64", "/riscv", "X86_64", "/host"), action("X86_64", "/amd")
	if !sameLinker(arm, riscv) || sameLinker(arm, amd) || sameLinker(amd, riscv) || sameLinker(action("A", "/a"), action("B", "/b")) {
		t.Error("which link by the same program is not right")
	}
}
