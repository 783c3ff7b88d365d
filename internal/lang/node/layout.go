package node

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/disk"
	"xbuild/internal/node"
)

// sources are what of a compiled package served its compilation alone.
var sources = []string{".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".o", ".a", ".gyp", ".gypi",
	".mk", ".Makefile"}

// A layout is an application that is put into the stage.
type layout struct {
	*nodeRun
	stage  string
	owners map[string]node.Package // by directory of a package
	of     map[string]node.Package // by any directory, as far as they were asked for
	links  []string                // to packages, where less is laid out than was installed
}

// layout links the application into the stage: its own files as they are in the source, those of the packages of its
// workspace that it needs, and node_modules. No compiled file gets in that nobody answers for.
func (n *nodeRun) layout(root node.Package, packages []node.Package, links []string) error {
	l := &layout{
		nodeRun: n, stage: filepath.Join(n.a.Stage, "app"), links: links,
		owners: map[string]node.Package{root.Dir: root}, of: map[string]node.Package{},
	}
	own := []string{root.Dir}
	for _, p := range packages {
		l.owners[p.Dir] = p
		// What npm links beside the source is laid out with the source, as it always was.
		if n.pruned() && !inModules(disk.Relative(n.top(), p.Dir)) && !slices.ContainsFunc(own, func(dir string) bool {
			return disk.Within(p.Dir, dir)
		}) {
			own = append(own, p.Dir)
		}
	}
	// The application's own files: those that the source has now, not what an earlier copy left in the build directory.
	above := filepath.Join(n.a.Source, n.b.Workspace)
	for _, dir := range own {
		if err := l.ownFiles(filepath.Join(above, disk.Relative(n.top(), dir)), above); err != nil {
			return err
		}
	}
	return filepath.WalkDir(n.top(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(n.top(), path)
		if err != nil {
			return err
		}
		owner := l.ownerOf(filepath.Dir(path))
		if d.IsDir() {
			if _, built := n.made[owner.Dir]; path == n.work || l.excluded(rel) ||
				built && path == filepath.Join(owner.Dir, "prebuilds") {
				return fs.SkipDir
			}
			return nil
		}
		if !l.belongs(owner, path, rel, d) {
			return nil
		}
		if taken, err := l.answered(owner, path, rel, d); err != nil || !taken {
			return err
		}
		return l.put(rel, d)
	})
}

// put lays out one file or link.
func (l *layout) put(rel string, d fs.DirEntry) error {
	from, to := filepath.Join(l.top(), rel), filepath.Join(l.stage, rel)
	l.Read(l.a, from)
	if d.Type()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return disk.PlaceLink(target, to)
	}
	if !d.Type().IsRegular() {
		return fmt.Errorf("%s: neither file, directory nor link", rel)
	}
	return link(from, to)
}

func (l *layout) excluded(rel string) bool { return listed(l.b.Exclude, filepath.ToSlash(rel)) }

// ownerOf is the package that a directory belongs to.
func (l *layout) ownerOf(dir string) node.Package {
	if owner, known := l.of[dir]; known {
		return owner
	}
	owner := l.owners[l.a.Build]
	if l.pruned() {
		owner = ownerOf(l.owners, dir, l.top())
	} else if real, err := filepath.EvalSymlinks(dir); err == nil {
		owner = ownerOf(l.owners, real, l.top())
	}
	l.of[dir] = owner
	return owner
}

// product tells whether a package's build made a file for its module.
func (l *layout) product(owner node.Package, path string) bool {
	return slices.Contains(l.made[owner.Dir], path) || slices.Contains(l.with[owner.Dir], path)
}

// belongs tells whether a file that is no directory is one of the application's installed packages, or was made for
// one, and did not serve its compilation alone.
func (l *layout) belongs(owner node.Package, path, rel string, d fs.DirEntry) bool {
	const separator = string(filepath.Separator)
	inside := strings.HasPrefix(rel, "node_modules"+separator) || strings.Contains(rel, separator+"node_modules"+separator)
	product := l.product(owner, path)
	if !inside && !product || l.excluded(rel) || inside && l.pruned() && !l.wanted(path, rel, d, l.owners, l.links) {
		return false
	}
	if made := l.made[owner.Dir]; len(made) > 0 && !product {
		left := strings.HasPrefix(path, filepath.Join(owner.Dir, "build")+separator)
		return !left && !slices.Contains(sources, filepath.Ext(path))
	}
	return true
}

// answered tells whether a file is laid out, as far as it is a compiled one; one that nobody answers for is an error.
func (l *layout) answered(owner node.Package, path, rel string, d fs.DirEntry) (bool, error) {
	if !d.Type().IsRegular() {
		return true, nil
	}
	kind, err := compiledKind(l.a, path)
	if err != nil {
		return false, err
	}
	_, built := l.made[owner.Dir]
	switch {
	case kind == notCompiled:
		return true, nil
	case listed(l.left, owner.Name):
		return false, nil
	case built || listed(l.b.Prebuilt, owner.Name):
		return kind == native, nil
	case kind == otherSystem: // data, to a package that has nothing to compile
		return true, nil
	}
	return false, fmt.Errorf("the compiled file %s is of no package that was compiled, or that scripts or prebuilt of %s name", rel, l.b.Where)
}

// ownFiles lays out the files of a directory of sources that belong to what is built, with paths as seen from the
// directory of the workspace.
func (l *layout) ownFiles(dir, above string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(above, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != dir && (l.Skips(path, disk.Relative(l.a.Source, path), d.Name(), l.a.Skip) || l.excluded(rel)) {
				return fs.SkipDir
			}
			l.List(l.a, filepath.Join(l.top(), rel))
			return nil
		}
		name := disk.Relative(dir, path)
		if disk.Matches(l.a.Skip, disk.Relative(l.a.Source, path)) || l.excluded(rel) || name == "xbuild.toml" ||
			name == "xbuild.lock" {
			return nil
		}
		return l.put(rel, d)
	})
}

// ownerOf is the package that a directory belongs to.
func ownerOf(owners map[string]node.Package, dir, top string) node.Package {
	for ; ; dir = filepath.Dir(dir) {
		if p, ok := owners[dir]; ok {
			return p
		}
		if dir == top || dir == filepath.Dir(dir) {
			return owners[top]
		}
	}
}
