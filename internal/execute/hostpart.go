package execute

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"xbuild/internal/action"
	"xbuild/internal/disk"
	"xbuild/internal/lang/table"
)

// Cargo compiles build scripts, proc macros and what they stand on for the host, into a directory beside the
// platform's, and does so for each platform, although the results are the same. An action whose directory is new gets
// them from one of another platform that is built. Cargo holds each against its fingerprint (cargo's source,
// core/compiler/fingerprint) and compiles what is not as it wants it.

// hostPart gives an action what another platform's run of cargo compiled for the host. What that read outside of the
// project, as a build script does of the system, is an input of this one, too.
func (r *runner) hostPart(a *action.Action, run *actionRun) error {
	if a.HostPart == "" || r.opt.Blind || run.anew {
		return nil
	}
	if _, err := os.Lstat(a.HostPart); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, b := range r.actions {
		if b == a || b.Target != a.Target || !sameHostPart(a, b) {
			continue
		}
		done, err := r.takeHostPart(a, b, run)
		if err != nil {
			return errors.Join(fmt.Errorf("what was compiled for the host: %w", err), disk.RemoveAll(a.HostPart))
		}
		if done {
			return nil
		}
	}
	return nil
}

// sameHostPart tells whether two actions compile the same for the host.
func sameHostPart(a, b *action.Action) bool {
	return a.HostPart != "" && b.HostPart != "" && table.Of(a.Language).SameHost(a, b)
}

// takeHostPart is hostPart of one other action; done is false where it is not built, or is being built.
func (r *runner) takeHostPart(a, b *action.Action, run *actionRun) (done bool, err error) {
	lock := flock.New(lockOf(b))
	if _, err := os.Stat(lock.Path()); err != nil {
		return false, nil
	}
	if ok, err := lock.TryLock(); err != nil || !ok {
		return false, nil
	}
	defer lock.Unlock()
	language := table.Of(a.Language)
	st := readState(b.State)
	i := slices.IndexFunc(b.Steps, func(s action.Step) bool { return s.Stdout != "" })
	if st == nil || !st.Seen || i < 0 {
		return false, nil
	}
	units, err := language.HostUnits(b.Steps[i].Stdout, b.HostPart, a.Root, a.Watch, r.opt.Project)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(units) == 0 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for profile, hashes := range units {
		for _, kind := range []string{"deps", "build", ".fingerprint"} { // what says that the others are there comes last
			from, to := filepath.Join(b.HostPart, profile, kind), filepath.Join(a.HostPart, profile, kind)
			if err := takeUnits(from, to, hashes, language.HostUnit); err != nil {
				return false, err
			}
		}
	}
	if run.record != nil {
		for _, read := range st.Reads {
			path, list := strings.CutSuffix(read.Path, "/")
			own := disk.Within(path, a.Root) || disk.Within(path, a.Watch) || disk.Within(path, b.Top) ||
				r.opt.Project != "" && disk.Within(path, r.opt.Project)
			if !own && read.Sum != "-" {
				run.record.Read(path, "what was compiled for the host for "+b.OCI, list)
			}
		}
	}
	return true, nil
}

// takeUnits copies the files and directories of units, with their times. Files that nothing writes into again are links
// to the same content.
func takeUnits(from, to string, hashes map[string]bool, hashOf func(name string) string) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if hash := hashOf(e.Name()); hash == "" || !hashes[hash] {
			continue
		}
		err := filepath.WalkDir(filepath.Join(from, e.Name()), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(from, path)
			if err != nil {
				return err
			}
			dst := filepath.Join(to, rel)
			switch {
			case d.IsDir():
				return os.MkdirAll(dst, 0o755)
			case d.Type()&fs.ModeSymlink != 0:
				target, err := os.Readlink(path)
				if err != nil {
					return err
				}
				return os.Symlink(target, dst)
			case !d.Type().IsRegular():
				return nil
			}
			if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
				return err
			}
			if filepath.Dir(path) == from && os.Link(path, dst) == nil {
				return nil
			}
			return disk.CopyWithTime(path, dst)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
