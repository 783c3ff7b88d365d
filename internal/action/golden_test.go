package action

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"xbuild/internal/env"
)

var update = flag.Bool("update", false, "write golden files anew")

// at is one action as it is in a checkout, with a store and a home.
func at(project, store, home string) *Action {
	build := project + "/.xbuild"
	lib := &Action{Target: "lib", OCI: "linux/arm64", Prefix: build + "/linux/arm64/lib/prefix"}
	a := &Action{
		Target: "app", OCI: "linux/arm64", Recipe: "make", Source: project + "/src", Watch: project + "/src",
		Inputs: []string{project + "/gen/*.h"}, Path: []string{store + "/trees/view/bin"},
		Env: env.Environment{
			{Name: "CFLAGS", Value: "-O2 -ffile-prefix-map=" + project + "/src=. -I" + lib.Prefix + "/include"},
			{Name: "HOME", Value: home},
		},
		Root: project + "/src", Build: build + "/linux/arm64/app/build", Stage: build + "/linux/arm64/app/stage",
		Dist: project + "/dist/linux/arm64", DistDir: project + "/dist",
		Steps:  []Step{{Name: "make", Dir: build + "/linux/arm64/app/build", Command: []string{"make", "-j" + Jobs, "O=" + build}}},
		Output: []Output{{Path: "app"}},
		Needs:  []Need{{Target: "lib", OCI: lib.OCI, Prefix: lib.Prefix, Action: lib}},
		Roots: NewRoots(Root{RootBuild, build}, Root{RootDist, project + "/dist"}, Root{RootProject, project},
			Root{RootStore, store}, Root{RootSource, project + "/src"}, Root{RootHome, home}),
	}
	a.ID = a.Hash()
	return a
}

// TestMadeOf holds what an action is made of, and the hash of that, against testdata/made.golden: it is the same
// wherever project, store and home lie.
func TestMadeOf(t *testing.T) {
	a := at("/home/me/code/p", "/home/me/.cache/xbuild", "/home/me")
	var got bytes.Buffer
	if err := json.Indent(&got, a.MadeOf(), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteString("\n" + string(a.ID) + "\n")
	const file = "testdata/made.golden"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s is not what the action is made of any more; see what changed, then go test ./internal/action -update:\n%s", file, got.String())
	}
	if b := at("/ci/x", "/store", "/root"); b.ID != a.ID {
		t.Errorf("elsewhere it is another action:\n%s", b.MadeOf())
	}
}
