package execute

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"xbuild/internal/lazyregexp"
	"xbuild/internal/plan"
)

// Cargo compiles build scripts, proc macros and what they stand on for the host, into a directory beside the
// platform's, and does so for each platform, although the results are the same. An action whose directory is new gets
// them from one of another platform that is built. Cargo holds each against its fingerprint (cargo's source,
// core/compiler/fingerprint) and compiles what is not as it wants it.

// unitHash is how cargo tells units apart in the names of their files.
var unitHash = lazyregexp.New(`-([0-9a-f]{16})(?:\.|$)`)

// hostUnits are the hashes of what cargo compiled for the host out of crates that lie outside of the project, by the
// profile's directory. file has cargo's messages, target is cargo's directory. Where a crate lies in the project, its
// sources are inputs, which have to be seen.
func hostUnits(file, target string, project ...string) (map[string]map[string]bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	outside := map[string]bool{} // by package
	units := map[string]map[string]bool{}
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 64<<20)
	for scan.Scan() {
		var m struct {
			cargoMessage
			PackageID string `json:"package_id"`
			OutDir    string `json:"out_dir"`
		}
		if !strings.HasPrefix(scan.Text(), "{") || json.Unmarshal(scan.Bytes(), &m) != nil {
			continue // a build script or linker that printed to standard output
		}
		files := m.Filenames
		switch m.Reason {
		case "compiler-artifact":
			own := slices.ContainsFunc(project, func(dir string) bool { return dir != "" && within(m.Manifest, dir) })
			outside[m.PackageID] = !own && !strings.Contains(m.PackageID, "path+")
		case "build-script-executed":
			files = []string{filepath.Dir(m.OutDir)}
		}
		if !outside[m.PackageID] {
			continue
		}
		for _, file := range files {
			rel, err := filepath.Rel(target, file)
			parts := strings.Split(rel, string(filepath.Separator))
			if err != nil || len(parts) < 3 || parts[1] != "deps" && parts[1] != "build" {
				continue // the platform's lie a directory deeper
			}
			if hash := unitHash.FindStringSubmatch(parts[2]); hash != nil {
				if units[parts[0]] == nil {
					units[parts[0]] = map[string]bool{}
				}
				units[parts[0]][hash[1]] = true
			}
		}
	}
	return units, scan.Err()
}

// hostPart gives an action what another platform's run of cargo compiled for the host. What that read outside of the
// project, as a build script does of the system, is an input of this one, too.
func (r *runner) hostPart(a *plan.Action, run *actionRun) error {
	if a.HostPart == "" || r.opt.Blind || run.anew {
		return nil
	}
	if _, err := os.Lstat(a.HostPart); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, b := range r.actions {
		if b == a || b.Target != a.Target || b.HostPart == "" || !sameLinker(a, b) {
			continue
		}
		done, err := r.takeHostPart(a, b, run)
		if err != nil {
			return errors.Join(fmt.Errorf("what was compiled for the host: %w", err), removeAll(a.HostPart))
		}
		if done {
			return nil
		}
	}
	return nil
}

// sameLinker tells whether cargo links what is for the host by the same program in two actions, which is part of a
// fingerprint. The platform that is the host's own has the platform's there.
func sameLinker(a, b *plan.Action) bool {
	same := false
	for _, v := range a.Env {
		if !strings.HasPrefix(v.Name, "CARGO_TARGET_") || !strings.HasSuffix(v.Name, "_LINKER") {
			continue
		}
		switch b.Env.Lookup(v.Name) {
		case "":
		case v.Value:
			same = true
		default:
			return false
		}
	}
	return same
}

// takeHostPart is hostPart of one other action; done is false where it is not built, or is being built.
func (r *runner) takeHostPart(a, b *plan.Action, run *actionRun) (done bool, err error) {
	lock := flock.New(filepath.Join(filepath.Dir(b.State), "lock"))
	if _, err := os.Stat(lock.Path()); err != nil {
		return false, nil
	}
	if ok, err := lock.TryLock(); err != nil || !ok {
		return false, nil
	}
	defer lock.Unlock()
	st := readState(b.State)
	i := slices.IndexFunc(b.Steps, func(s plan.Step) bool { return s.Stdout != "" })
	if st == nil || !st.Seen || i < 0 {
		return false, nil
	}
	units, err := hostUnits(b.Steps[i].Stdout, b.HostPart, a.Root, a.Watch, r.opt.Project)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(units) == 0 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for profile, hashes := range units {
		for _, kind := range []string{"deps", "build", ".fingerprint"} { // what says that the others are there comes last
			from, to := filepath.Join(b.HostPart, profile, kind), filepath.Join(a.HostPart, profile, kind)
			if err := takeUnits(from, to, hashes); err != nil {
				return false, err
			}
		}
	}
	if run.record != nil {
		for _, read := range st.Reads {
			path, list := strings.CutSuffix(read.Path, "/")
			own := within(path, a.Root) || within(path, a.Watch) || within(path, b.Top) ||
				r.opt.Project != "" && within(path, r.opt.Project)
			if !own && read.Sum != "-" {
				run.record.Read(path, "what was compiled for the host for "+b.OCI, list)
			}
		}
	}
	return true, nil
}

// takeUnits copies the files and directories of units, with their times. Files that nothing writes into again are links
// to the same content.
func takeUnits(from, to string, hashes map[string]bool) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		hash := unitHash.FindStringSubmatch(e.Name())
		if hash == nil || !hashes[hash[1]] {
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
			return copyWithTime(path, dst)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// copyWithTime copies a regular file, which must not be there, with its mode and time; its owner may write it.
func copyWithTime(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Close()); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}
