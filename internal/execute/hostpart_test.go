package execute

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"xbuild/internal/action"
	"xbuild/internal/lang/rust"
)

func TestTakeUnits(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	old := time.Unix(1700000000, 0)
	for name, text := range map[string]string{
		"libsyn-0123456789abcdef.rlib": "lib", "syn-1111111111111111/out/made": "made", "libother-2222222222222222.rlib": "other", "no-hash": "",
	} {
		path := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := takeUnits(from, to, map[string]bool{"0123456789abcdef": true, "1111111111111111": true}, rust.Language.HostUnit); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(to)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v, want two", entries, err)
	}
	for _, name := range []string{"libsyn-0123456789abcdef.rlib", "syn-1111111111111111/out/made"} {
		info, err := os.Stat(filepath.Join(to, name))
		if err != nil || !info.ModTime().Equal(old) || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	// A build script's own files are copies: it may write into them.
	if err := os.WriteFile(filepath.Join(to, "syn-1111111111111111/out/made"), []byte("again"), 0o644); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(from, "syn-1111111111111111/out/made")); err != nil || string(data) != "made" {
		t.Errorf("the other platform's is %q, %v", data, err)
	}
	if err := takeUnits(filepath.Join(from, "none"), to, nil, rust.Language.HostUnit); err != nil {
		t.Error(err)
	}
}

// TestScheduleHostPart: with few slots one platform compiles what is for the host, and the others begin when it is there.
func TestScheduleHostPart(t *testing.T) {
	cargo := func(target, dir, linker string) *action.Action {
		a := &action.Action{Target: target, Language: "rust", HostPart: filepath.Join(dir, "target")}
		a.Env.Set("CARGO_TARGET_HOST_LINKER", linker)
		return a
	}
	built := t.TempDir()
	if err := os.Mkdir(filepath.Join(built, "target"), 0o755); err != nil {
		t.Fatal(err)
	}
	actions := []*action.Action{
		cargo("app", t.TempDir(), "cc"), cargo("app", t.TempDir(), "cc"), cargo("app", t.TempDir(), "cc"),
		cargo("app", built, "cc"),                // has its own
		cargo("app", t.TempDir(), "platform-cc"), // can take nothing from the others
		cargo("other", t.TempDir(), "cc"),
	}
	for _, c := range []struct {
		slots int
		want  []int
	}{{2, []int{0, 3, 4, 5}}, {7, []int{0, 3, 4, 5}}, {8, []int{0, 1, 3, 4, 5}}, {64, []int{0, 1, 2, 3, 4, 5}}} {
		s := newSchedule(actions, c.slots, remembered)
		var began []int
		for {
			i, _ := s.ready()
			if i < 0 {
				break
			}
			s.begun[i] = true
			began = append(began, i)
		}
		if !slices.Equal(began, c.want) {
			t.Errorf("%d slots: %v began, want %v", c.slots, began, c.want)
		}
		s.end(0)
		if i, _ := s.ready(); c.slots == 2 && i != 1 {
			t.Errorf("when the first has ended %d can begin, want 1", i)
		}
	}
}
