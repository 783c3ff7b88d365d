package execute

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/plan"
)

// An Artifact is a file under dist, as artifacts.json lists it.
type Artifact struct {
	Target   string `json:"target"`
	Platform string `json:"platform"`
	Triplet  string `json:"triplet"`
	Path     string `json:"path"` // relative to dist, with slashes
	Size     int64  `json:"size"` // bytes
	SHA256   string `json:"sha256"`
	Link     string `json:"link,omitempty"` // the target of a symbolic link; size and sha256 are then zero
}

// publish puts the action's outputs into dist, each whole or not at all, and removes what an earlier run put there and this one did not.
func publish(a *plan.Action, st *state) ([]Artifact, bool, error) {
	changed := false
	old := st.Dist
	now := map[string]placed{}
	var arts []Artifact
	for _, o := range st.Outputs {
		path := filepath.Join(a.Dist, o.Dist)
		rel, err := filepath.Rel(distRoot(a), path)
		if err != nil {
			return nil, false, err
		}
		art := Artifact{Target: a.Target, Platform: a.OCI, Triplet: a.Platform.Triplet, Path: filepath.ToSlash(rel)}
		last, known := old[path]
		info, err := os.Lstat(path)
		if known && err == nil && last.From == o.Stat && statOf(info) == last.Stat {
			art.Size, art.SHA256, art.Link = last.Size, last.SHA256, o.Link
			now[path] = last
			arts = append(arts, art)
			continue
		}
		changed = true
		if o.Link != "" {
			if err := placeLink(o.Link, path); err != nil {
				return nil, false, err
			}
		} else {
			if err := check(a, o.Path); err != nil {
				return nil, false, err
			}
			if art.Size, art.SHA256, err = place(a, o.Path, path); err != nil {
				return nil, false, err
			}
		}
		if info, err = os.Lstat(path); err != nil {
			return nil, false, err
		}
		art.Link = o.Link
		now[path] = placed{From: o.Stat, Stat: statOf(info), Size: art.Size, SHA256: art.SHA256}
		arts = append(arts, art)
	}
	for path := range old {
		if _, still := now[path]; !still && strings.HasPrefix(path, distRoot(a)+string(filepath.Separator)) {
			changed = true
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, false, err
			}
		}
	}
	st.Dist = now
	return arts, changed, nil
}

// distRoot is dist/ without the platform and what follows.
func distRoot(a *plan.Action) string {
	i := strings.LastIndex(a.Dist+"/", "/"+a.OCI+"/")
	if i < 0 {
		return a.Dist
	}
	return a.Dist[:i]
}

// check refuses a file that is not for the action's platform: a build that picked up the host's compiler succeeds all the same.
func check(a *plan.Action, path string) error {
	if a.Platform.Machine == elf.EM_NONE {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 8)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	switch {
	case n >= 4 && string(head[:4]) == elf.ELFMAG:
		return checkELF(a, path, f)
	case n == 8 && string(head) == "!<arch>\n":
		return checkArchive(a, path, f)
	}
	return nil
}

func checkELF(a *plan.Action, name string, r io.ReaderAt) error {
	e, err := elf.NewFile(r)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p := a.Platform
	if e.Machine != p.Machine || e.Class != p.Class || e.Data != p.Data {
		return fmt.Errorf("%s is for %v %v %v, not for %s (%v %v %v): the build used another compiler than $CC", name, e.Machine, e.Class, e.Data, p.Name, p.Machine, p.Class, p.Data)
	}
	if a.Static && e.Type != elf.ET_REL {
		if i := slices.IndexFunc(e.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }); i >= 0 {
			return fmt.Errorf("%s is linked dynamically, though static = true: the build does not pass $LDFLAGS (-static) to the linker; hand it over in the form that it reads (for make: vars = { LDFLAGS = \"-static\" }), or set static = false", name)
		}
	}
	return nil
}

// checkArchive looks at the first ELF member of an ar archive (ar(5)).
func checkArchive(a *plan.Action, name string, f *os.File) error {
	off := int64(8)
	header := make([]byte, 60)
	for {
		if _, err := f.ReadAt(header, off); err != nil {
			return nil // no ELF member: an archive of something else
		}
		var size int64
		if _, err := fmt.Sscanf(strings.TrimSpace(string(header[48:58])), "%d", &size); err != nil || size < 0 {
			return fmt.Errorf("%s: a damaged ar header at %d", name, off)
		}
		magic := make([]byte, 4)
		if n, _ := f.ReadAt(magic, off+60); n == 4 && bytes.Equal(magic, []byte(elf.ELFMAG)) {
			return checkELF(a, name+"("+strings.TrimRight(string(header[:16]), " /")+")", io.NewSectionReader(f, off+60, size))
		}
		off += 60 + size + size%2
	}
}

// place copies a file to dist under a temporary name, strips it where the target asks for that, and renames it.
func place(a *plan.Action, from, to string) (size int64, sum string, err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return 0, "", err
	}
	src, err := os.Open(from)
	if err != nil {
		return 0, "", err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return 0, "", err
	}
	tmp, err := os.CreateTemp(filepath.Dir(to), ".xbuild-*")
	if err != nil {
		return 0, "", err
	}
	defer os.Remove(tmp.Name())
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(tmp, h), src)
	if err == nil {
		err = tmp.Chmod(info.Mode().Perm() | 0o600)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return 0, "", err
	}
	if a.Strip != "" && linked(from) {
		cmd := exec.CommandContext(context.Background(), a.Strip, tmp.Name())
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, "", fmt.Errorf("strip %s: %w\n%s", from, err, out)
		}
		data, err := os.ReadFile(tmp.Name())
		if err != nil {
			return 0, "", err
		}
		h.Reset()
		h.Write(data)
		size = int64(len(data))
	}
	return size, hex.EncodeToString(h.Sum(nil)), os.Rename(tmp.Name(), to)
}

// linked tells programs and shared objects, the files that can be stripped of all their symbols.
func linked(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return f.Type == elf.ET_EXEC || f.Type == elf.ET_DYN
}

func placeLink(target, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(to), fmt.Sprintf(".xbuild-%d-%s", os.Getpid(), filepath.Base(to)))
	os.Remove(tmp)
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, to); err != nil {
		os.Remove(tmp)
		return err
	}
	return nil
}

// writeArtifacts writes dist/artifacts.json: what this run made, and of earlier runs what still lies in dist.
func writeArtifacts(dist string, results []Result) error {
	file := filepath.Join(dist, "artifacts.json")
	ran := map[[2]string]bool{}
	arts := []Artifact{}
	for _, r := range results {
		ran[[2]string{r.Action.Target, r.Action.OCI}] = true
		if r.Err == nil {
			arts = append(arts, r.Artifacts...)
		}
	}
	data, err := os.ReadFile(file)
	if err == nil {
		var old []Artifact
		if err := json.Unmarshal(data, &old); err == nil {
			for _, a := range old {
				if info, err := os.Lstat(filepath.Join(dist, filepath.FromSlash(a.Path))); !ran[[2]string{a.Target, a.Platform}] && err == nil && (a.Link != "" || info.Size() == a.Size) {
					arts = append(arts, a)
				}
			}
		}
	}
	slices.SortFunc(arts, func(a, b Artifact) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.Target, b.Target)
	})
	for i := 1; i < len(arts); i++ {
		if arts[i].Path == arts[i-1].Path && arts[i].Target != arts[i-1].Target {
			return fmt.Errorf("targets %q and %q both make %s; give one of them another dest or outputs", arts[i-1].Target, arts[i].Target, arts[i].Path)
		}
	}
	text, err := json.MarshalIndent(arts, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if bytes.Equal(text, data) {
		return nil
	}
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	return writeAtomic(file, text)
}

// copyTree brings a copy of a source up to date: files that differ in size or time are copied with their times, so that make sees what changed; what the
// commands made in the copy stays.
func copyTree(from, to string, skip []string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			if path != from && (slices.Contains(skip, path) || slices.Contains(vcs, d.Name()) || isCache(path)) {
				return fs.SkipDir
			}
			return os.MkdirAll(dst, 0o755)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			if have, err := os.Readlink(dst); err == nil && have == target {
				return nil
			}
			return placeLink(target, dst)
		case info.Mode().IsRegular():
			if have, err := os.Lstat(dst); err == nil && have.Size() == info.Size() && have.ModTime().Equal(info.ModTime()) {
				return nil
			}
			os.Remove(dst)
			src, err := os.Open(path)
			if err != nil {
				return err
			}
			defer src.Close()
			out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o600)
			if err != nil {
				return err
			}
			if _, err := io.Copy(out, src); err != nil {
				out.Close()
				return err
			}
			if err := out.Close(); err != nil {
				return err
			}
			return os.Chtimes(dst, info.ModTime(), info.ModTime())
		}
		return fmt.Errorf("%s: neither file, directory nor link", path)
	})
}
