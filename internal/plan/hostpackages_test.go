package plan

import (
	"slices"
	"strings"
	"testing"

	"xbuild/internal/action"
	"xbuild/internal/lock"
	"xbuild/internal/resolve"
)

// lockHostPackages locks what a request for packages for the host asks for. Of a sysroot with libglib2.0-dev the lock
// says that it brings libglib2.0-dev-bin.
func (pl *Planner) lockHostPackages(t *testing.T, of resolve.HostPackagesRequest) {
	t.Helper()
	for i, e := range pl.Lock.Sysroots {
		if slices.Contains(e.Roots, "libglib2.0-dev") {
			pl.Lock.Sysroots[i].Programs = []string{"libglib2.0-dev-bin"}
		}
	}
	r, ok, err := of.In(pl.Lock, pl.Host)
	if err != nil {
		t.Fatal(err)
	}
	if ok {
		pl.Lock.PutSysroot(lock.Sysroot{
			Name: r.Def.Name, Arch: r.Arch, Suite: r.Suite, Version: "2", Roots: r.Roots(),
			Files: []lock.File{{Name: r.Packages[0], SHA256: strings.Repeat("4", 64)}},
		})
	}
}

// TestHostPackages: programs of packages come on PATH behind xbuild's toolchains, a target's own before those of the
// sysroot; a target without has none, and nothing of an older lock, which names none, is missing.
func TestHostPackages(t *testing.T) {
	files := `
-- xbuild.toml --
[project]
platforms = ["linux/arm64"]
[sysroot]
packages = ["libglib2.0-dev"]
[target.own]
recipe = "make"
host_packages = ["xsltproc"]
outputs = ["x"]
[target.other]
recipe = "make"
outputs = ["y"]
`
	programs := func(a *action.Action) (out []string) {
		for i, dir := range a.Path {
			if strings.Contains(dir, "/host-packages-trixie-") {
				out = append(out, dir)
			} else if len(out) > 0 {
				t.Errorf("%s: %s comes behind programs of packages", a.Target, a.Path[i])
			}
		}
		return out
	}
	pl := planner(t, files)
	actions := pl.plan(t, Selection{}).Actions
	own, other := programs(actions[0]), programs(actions[1])
	if len(own) != 2 || len(other) != 1 || own[1] != other[0] || own[0] == other[0] {
		t.Errorf("programs of packages on PATH: %q and %q; want the target's own and the sysroot's, and the sysroot's", own, other)
	}
	for _, a := range actions {
		for _, dir := range programs(a) {
			if !slices.ContainsFunc(a.Roots, func(r action.Root) bool {
				return strings.HasPrefix(dir, r.Dir) && strings.Contains(r.Name, "host-packages")
			}) {
				t.Errorf("%s: %s has no name that is the same in every store", a.Target, dir)
			}
		}
		if got := a.Env.Lookup("QT_RCC_SOURCE_DATE_OVERRIDE"); got != "1" {
			t.Errorf("%s: rcc is told the time %q", a.Target, got)
		}
	}
	with := actions[1].Sysroot

	pl.Lock.Sysroots = slices.DeleteFunc(pl.Lock.Sysroots, func(e lock.Sysroot) bool {
		return e.Name == "host-packages" && slices.Contains(e.Roots, "libglib2.0-dev-bin")
	})
	for i := range pl.Lock.Sysroots {
		pl.Lock.Sysroots[i].Programs = nil
	}
	p, err := pl.New(Selection{Targets: []string{"other"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := programs(p.Actions[0]); len(got) > 0 || p.Actions[0].Sysroot == with {
		t.Errorf("a lock without programs has %q on PATH, and the sysroot %s", got, p.Actions[0].Sysroot)
	}
}

// TestHostPackagesElsewhere: where the platform's libraries are none of Debian's, host_packages brings programs too.
func TestHostPackagesElsewhere(t *testing.T) {
	pl := planner(t, `
-- xbuild.toml --
[project]
platforms = ["linux/arm64", "windows/amd64"]
[sysroot]
libc = "musl"
host_packages = ["xsltproc"]
[target.own]
recipe = "make"
outputs = ["x"]
`)
	for _, a := range pl.plan(t, Selection{}).Actions {
		if last := a.Path[len(a.Path)-1]; !strings.Contains(last, "/host-packages-trixie-") {
			t.Errorf("%s: PATH ends with %s", a.OCI, last)
		}
	}
}
