package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"xbuild/internal/hint"
	"xbuild/internal/lazyregexp"
)

// A Workspace is what a project's packages are installed by: the directory with the lock file, which is the project's
// own or one above it that has it for a member.
type Workspace struct {
	Root    string   // absolute
	Source  string   // the project, relative to Root, with slashes; "." where it is Root
	Manager string   // the toolchain that installs: npm, pnpm, yarn or yarn-classic
	Lock    string   // the lock file, a name in Root; "" where there is none
	Version string   // the manager's that packageManager names, "" where it names none
	File    string   // the package.json that names it
	Line    int      // in File
	Members []string // the workspace's packages, relative to Root, with slashes; the project may be one
}

// A lockFile is one by which a package manager installs.
type lockFile struct{ name, manager string }

// lockFiles are those of all package managers; npm-shrinkwrap.json wins over package-lock.json (npm help shrinkwrap).
var lockFiles = []lockFile{{"npm-shrinkwrap.json", "npm"}, {"package-lock.json", "npm"}, {"pnpm-lock.yaml", "pnpm"},
	{"yarn.lock", "yarn"}}

// others are lock files of package managers that xbuild does not call.
var others = map[string]string{"bun.lock": "Bun", "bun.lockb": "Bun", "deno.lock": "Deno"}

// FindWorkspace finds what a project in a directory is installed by. Without a lock file there is none, and Manager is
// npm.
func FindWorkspace(source string) (Workspace, error) {
	source, err := filepath.Abs(source)
	if err != nil {
		return Workspace{}, err
	}
	none := Workspace{Root: source, Source: ".", Manager: "npm"}
	for dir := source; ; dir = filepath.Dir(dir) {
		var there []lockFile
		for _, l := range lockFiles {
			if has(dir, l.name) {
				there = append(there, l)
			}
		}
		if len(there) == 0 {
			for name, what := range others {
				if has(dir, name) && dir == source {
					return none, fmt.Errorf("%s is of %s, which xbuild does not call; npm, pnpm and yarn install packages here: commit a lock file of one of these", filepath.Join(dir, name), what)
				}
			}
		} else {
			w, member, err := readWorkspace(dir, source, there)
			if err != nil || member {
				return w, err
			}
		}
		if dir == filepath.Dir(dir) {
			return none, nil
		}
	}
}

// manifest is what of the package.json of a workspace's root counts here.
type manifest struct {
	PackageManager string          `json:"packageManager"`
	Workspaces     json.RawMessage `json:"workspaces"` // a list, or a table with the list "packages"
}

// readWorkspace reads the workspace of a directory with lock files. The second result tells whether source is its root
// or a member.
func readWorkspace(dir, source string, there []lockFile) (Workspace, bool, error) {
	rel, err := filepath.Rel(dir, source)
	if err != nil {
		return Workspace{}, false, err
	}
	w := Workspace{Root: dir, Source: filepath.ToSlash(rel), File: filepath.Join(dir, "package.json")}
	data, err := os.ReadFile(w.File)
	if errors.Is(err, fs.ErrNotExist) {
		return w, false, nil // no project: the lock file is something else's
	}
	if err != nil {
		return w, false, err
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return w, false, fmt.Errorf("%s: %w", w.File, err)
	}
	asked, version, _ := strings.Cut(m.PackageManager, "@")
	version, _, _ = strings.Cut(version, "+") // the hash is of the download that corepack makes
	chosen := there[0]
	if asked != "" {
		i := slices.IndexFunc(there, func(l lockFile) bool { return l.manager == asked })
		if i < 0 {
			return w, true, fmt.Errorf("%s: packageManager is %q, and its lock file is not there: %s is; commit the lock file that it writes", w.File, m.PackageManager, there[0].name)
		}
		chosen, w.Version = there[i], version
		for i, line := range strings.Split(string(data), "\n") {
			if strings.Contains(line, `"packageManager"`) {
				w.Line = i + 1
				break
			}
		}
	} else if i := slices.IndexFunc(there, func(l lockFile) bool { return l.manager != chosen.manager }); i >= 0 {
		return w, true, fmt.Errorf("%s has %s and %s: packageManager in its package.json says which package manager installs (\"pnpm@10.34.8\", for one), or remove the other file", dir, chosen.name, there[i].name)
	}
	w.Manager, w.Lock = chosen.manager, chosen.name
	text, err := os.ReadFile(filepath.Join(dir, w.Lock))
	if err != nil {
		return w, false, err
	}
	if err := w.members(m, string(text)); err != nil {
		return w, false, err
	}
	if w.Source != "." && !slices.Contains(w.Members, w.Source) {
		return w, false, nil
	}
	return w, true, w.supported(string(text))
}

var (
	// pnpmImporter are the packages in pnpm-lock.yaml: keys of "importers", two blanks in, each with a table.
	pnpmImporter = lazyregexp.New(`(?m)^  ['"]?([^\s'":][^'":]*)['"]?:(?: \{\})?$`)
	pnpmLock     = lazyregexp.New(`(?m)^lockfileVersion: ['"]?([0-9.]+)`)
	berryLock    = lazyregexp.New(`(?m)^__metadata:\s+version: ([0-9]+)`)
	nodeLinker   = lazyregexp.New(`(?m)^nodeLinker:\s*['"]?([\w-]+)`)
)

// members finds the packages of a workspace: in the lock files of npm and pnpm, by the globs of package.json for yarn,
// whose first lock file names none.
func (w *Workspace) members(m manifest, lock string) error {
	switch w.Manager {
	case "npm":
		var doc struct {
			Packages map[string]json.RawMessage `json:"packages"`
		}
		if err := json.Unmarshal([]byte(lock), &doc); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(w.Root, w.Lock), err)
		}
		for name := range doc.Packages {
			if name != "" && !slices.Contains(strings.Split(name, "/"), "node_modules") && !strings.HasPrefix(name, "../") {
				w.Members = append(w.Members, name)
			}
		}
	case "pnpm":
		_, after, _ := strings.Cut("\n"+lock, "\nimporters:\n")
		if i := regexp.MustCompile(`(?m)^\S`).FindStringIndex(after); i != nil {
			after = after[:i[0]]
		}
		for _, found := range pnpmImporter.FindAllStringSubmatch(after, -1) {
			if found[1] != "." {
				w.Members = append(w.Members, found[1])
			}
		}
	default:
		var globs []string
		if json.Unmarshal(m.Workspaces, &globs) != nil {
			var table struct {
				Packages []string `json:"packages"`
			}
			if len(m.Workspaces) > 0 && json.Unmarshal(m.Workspaces, &table) != nil {
				return fmt.Errorf("%s: workspaces is neither a list nor a table with the list packages", w.File)
			}
			globs = table.Packages
		}
		for _, g := range globs {
			g, without := strings.CutPrefix(g, "!")
			g = path.Clean(g)
			if without {
				w.Members = slices.DeleteFunc(w.Members, func(m string) bool { ok, _ := doublestar.Match(g, m); return ok })
				continue
			}
			found, err := doublestar.Glob(os.DirFS(w.Root), path.Join(g, "package.json"), doublestar.WithNoFollow())
			if err != nil {
				return fmt.Errorf("%s: workspaces: %q: %w", w.File, g, err)
			}
			for _, f := range found {
				if !slices.Contains(strings.Split(f, "/"), "node_modules") {
					w.Members = append(w.Members, path.Dir(f))
				}
			}
		}
	}
	slices.Sort(w.Members)
	w.Members = slices.Compact(w.Members)
	return nil
}

// supported refuses what cannot be laid out, and tells the two yarns apart.
func (w *Workspace) supported(lock string) error {
	file := filepath.Join(w.Root, w.Lock)
	switch w.Manager {
	case "pnpm":
		found := pnpmLock.FindStringSubmatch(lock)
		if found == nil || found[1] != "9.0" {
			version := "none"
			if found != nil {
				version = found[1]
			}
			return fmt.Errorf("%s has lockfileVersion %s; pnpm from 9 on writes 9.0: run \"pnpm install --lockfile-only\" with one of these and commit the file", file, version)
		}
	case "yarn":
		if strings.Contains(lock, "\n# yarn lockfile v1\n") {
			w.Manager = "yarn-classic"
			return nil
		}
		found := berryLock.FindStringSubmatch(lock)
		if found == nil {
			return fmt.Errorf("%s is neither yarn 1's nor yarn 4's", file)
		}
		if found[1] < "8" && len(found[1]) == 1 { // 4 and 5 are yarn 2's, 6 is yarn 3's
			return fmt.Errorf("%s is of yarn 2 or 3 (version %s of its format); yarn 4 writes 8 or newer: run \"yarn set version stable\" and \"yarn install\", and commit what changes", file, found[1])
		}
		rc := filepath.Join(w.Root, ".yarnrc.yml")
		data, err := os.ReadFile(rc)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		linker := "pnp"
		if found := nodeLinker.FindSubmatch(data); found != nil {
			linker = string(found[1])
		}
		if linker != "node-modules" {
			default_ := ""
			if !nodeLinker.Match(data) {
				default_ = ", which is yarn's default,"
			}
			return hint.Add(fmt.Errorf("%s: nodeLinker is %s%s and lays packages out so that Node finds none "+
				"without yarn: a native module is compiled in its directory, and an application runs in an image "+
				"without yarn", rc, linker, default_),
				"write nodeLinker: node-modules in it; yarn.lock stays the same")
		}
	}
	return nil
}

// words are a list of package.json, one or several.
type words []string

func (w *words) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*w = words{one}
		return nil
	}
	var many []string
	if json.Unmarshal(data, &many) == nil {
		*w = many
	}
	return nil
}

// allows tells whether a list of package.json's os, cpu or libc allows a name (npm help package.json, "os").
func (w words) allows(name string) bool {
	any := false
	for _, s := range w {
		if no, ok := strings.CutPrefix(s, "!"); ok {
			if no == name {
				return false
			}
			continue
		}
		if s == name || s == "any" {
			return true
		}
		any = true
	}
	return !any
}

// For tells whether a package is for a platform.
func (p Package) For(arch, libc string) bool {
	return p.OS.allows("linux") && p.CPU.allows(arch) && p.Libc.allows(libc)
}

// Needed returns the packages that a package depends on, and these in turn, as Node finds them when they run: each
// once, in the order of their paths; and the links by which they are found. top is the directory above which nothing is
// looked for. Optional ones for other platforms are left out.
func Needed(top string, start Package, arch, libc string) (packages []Package, links []string, err error) {
	given := top
	if top, err = filepath.EvalSymlinks(top); err != nil {
		return nil, nil, err
	}
	if start.Dir, err = filepath.EvalSymlinks(start.Dir); err != nil {
		return nil, nil, err
	}
	seen := map[string]bool{start.Dir: true}
	linked := map[string]bool{}
	queue := []Package{start}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		wanted := map[string]bool{} // whether it can be left out
		for name := range p.Peer {
			wanted[name] = true
		}
		for name := range p.Dependencies {
			wanted[name] = false
		}
		for name := range p.Optional {
			wanted[name] = true
		}
		for name, optional := range wanted {
			at, ok := find(top, p.Dir, name)
			if !ok {
				continue // the package manager left it out: of another platform, or taken away by the project's own word
			}
			real, err := filepath.EvalSymlinks(at)
			if err != nil {
				return nil, nil, err
			}
			rel, err := filepath.Rel(top, real)
			if err != nil || !filepath.IsLocal(rel) {
				return nil, nil, fmt.Errorf("%s %s depends on %s, which is outside of the project: %s leads to %s", p.Name,
					p.Version, name, at, real)
			}
			q, err := Read(real)
			if err != nil {
				return nil, nil, err
			}
			if !q.For(arch, libc) {
				if optional {
					continue
				}
				return nil, nil, fmt.Errorf("%s %s depends on %s %s, which is not for linux, %s and %s (os, cpu and libc of its package.json)", p.Name, p.Version, q.Name, q.Version, arch, libc)
			}
			if at != real && !linked[at] {
				linked[at] = true
				links = append(links, at)
			}
			if !seen[real] {
				seen[real] = true
				packages = append(packages, q)
				queue = append(queue, q)
			}
		}
	}
	// As the caller sees them, who may have come by a link.
	for i := range links {
		links[i] = filepath.Join(given, strings.TrimPrefix(links[i], top))
	}
	for i := range packages {
		packages[i].Dir = filepath.Join(given, strings.TrimPrefix(packages[i].Dir, top))
	}
	slices.Sort(links)
	slices.SortFunc(packages, func(a, b Package) int { return strings.Compare(a.Dir, b.Dir) })
	return packages, links, nil
}

// find looks a package up as Node does (nodejs.org/api/modules.html, "Loading from node_modules folders").
func find(top, dir, name string) (string, bool) {
	for ; ; dir = filepath.Dir(dir) {
		if filepath.Base(dir) != "node_modules" {
			at := filepath.Join(dir, "node_modules", filepath.FromSlash(name))
			if has(at, "package.json") {
				return at, true
			}
		}
		if dir == top || dir == filepath.Dir(dir) {
			return "", false
		}
	}
}
