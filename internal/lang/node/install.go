package node

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"xbuild/internal/disk"
	"xbuild/internal/env"
	"xbuild/internal/lazyregexp"
	"xbuild/internal/node"
)

// top is the copy of the directory with the lock file: that of the source, or of the workspace that it is in.
func (n *nodeRun) top() string { return filepath.Join(n.a.Build, n.b.Workspace) }

// pruned tells whether more is installed than the project needs: what others in its workspace do, or its
// devDependencies, which yarn 4 always installs.
func (n *nodeRun) pruned() bool {
	return n.b.Workspace != "" || n.b.Manager != "" && n.b.Manager != "npm"
}

// packages returns what is installed for the project, and the links to it where what is laid out is less than all.
func (n *nodeRun) packages(root node.Package) (packages []node.Package, links []string, err error) {
	if n.pruned() {
		return node.Needed(n.top(), root, n.b.Arch, n.b.Libc)
	}
	packages, err = node.Installed(n.a.Build)
	return packages, nil, err
}

// installs are the files beside package.json by which package managers install, but for the lock file.
var installs = []string{".npmrc", ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml", ".pnpmfile.cjs"}

// install has the project's packages installed by its package manager as its lock file says, unless what that goes by
// is what it went by last.
func (n *nodeRun) install(root node.Package) error {
	if n.b.Lock == "" {
		if len(root.Dependencies)+len(root.Optional) == 0 && (n.b.App && !n.test || len(root.Dev) == 0) {
			return nil
		}
		return fmt.Errorf("%s: package.json has dependencies, and there is no package-lock.json, pnpm-lock.yaml or yarn.lock that says which versions, in %[2]s or in a workspace above that has it for a member; run \"npm install --package-lock-only\" in %[2]s (or pnpm's or yarn's install) and commit the file", n.b.Where, n.a.Source)
	}
	argv, e, err := n.manager()
	if err != nil {
		return err
	}
	h := sha256.New()
	fmt.Fprintln(h, argv, n.a.Path)
	names := append([]string{n.b.Lock}, installs...)
	if n.b.Manager != "npm" { // npm ci goes by its lock file, and says where another file differs
		names = append(names, "package.json")
		for _, m := range n.b.Members {
			names = append(names, filepath.Join(filepath.FromSlash(m), "package.json"))
		}
	}
	for _, name := range names {
		n.Read(n.a, filepath.Join(n.top(), name))
		data, err := os.ReadFile(filepath.Join(n.top(), name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
	}
	stamp, sum := filepath.Join(n.work, "installed"), hex.EncodeToString(h.Sum(nil))
	if have, err := os.ReadFile(stamp); err == nil && string(have) == sum {
		return nil
	}
	if err := os.MkdirAll(n.work, 0o755); err != nil {
		return err
	}
	os.Remove(stamp)
	original := map[string][]byte{}
	if n.b.Manager == "pnpm" && (n.b.App || n.test) {
		if err := n.pnpmPlatform(original); err != nil {
			return err
		}
	}
	err = n.run(n.top(), nil, e, argv...)
	for file, data := range original {
		err = errors.Join(err, disk.Write(file, data))
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", argv[0], argv[1], err)
	}
	return os.WriteFile(stamp, []byte(sum), 0o644)
}

// manager is the command that installs, and its variables: frozen, without scripts, for the platform where what is
// installed will run there. A module's packages serve its compilation, here.
func (n *nodeRun) manager() (argv []string, e env.Environment, err error) {
	there, production := n.b.App || n.test, n.b.App && !n.test
	caches := filepath.Join(n.Store, "cache")
	switch n.b.Manager {
	case "pnpm":
		argv = []string{"pnpm", "install", "--frozen-lockfile", "--ignore-scripts", "--reporter=append-only",
			"--store-dir=" + filepath.Join(caches, "pnpm"),
			"--config.package-import-method=clone-or-copy", "--config.virtual-store-dir=node_modules/.pnpm",
			"--config.enable-global-virtual-store=false",
			"--config.manage-package-manager-versions=false", "--config.confirm-modules-purge=false",
			"--config.prefer-symlinked-executables=true", "--config.extend-node-path=false",
			"--config.node-version=" + n.b.Headers[0].Version} // engines are those of where it runs
		if production {
			argv = append(argv, "--prod")
		}
		if n.b.Workspace != "" {
			argv = append(argv, "--filter={"+filepath.ToSlash(disk.Relative(n.top(), n.a.Build))+"}...")
			if n.test {
				argv = append(argv, "--filter={.}")
			}
		}
		if there && n.pnpmHasFlags() {
			argv = append(argv, "--os=linux", "--cpu="+n.b.Arch, "--libc="+n.b.Libc)
		}
		if n.Offline {
			argv = append(argv, "--offline")
		}
	case "yarn-classic":
		argv = []string{"yarn", "install", "--frozen-lockfile", "--ignore-scripts", "--ignore-engines", "--non-interactive",
			"--no-progress", "--cache-folder=" + filepath.Join(caches, "yarn-classic")}
		if production {
			argv = append(argv, "--production")
		}
		if n.Offline {
			argv = append(argv, "--offline")
		}
		if there {
			// It knows no other machine than the one that it runs on, and no libc.
			file := filepath.Join(n.work, "arch.cjs")
			if err := os.MkdirAll(n.work, 0o755); err != nil {
				return nil, nil, err
			}
			if err := os.WriteFile(file, fmt.Appendf(nil, "Object.defineProperty(process, 'arch', { value: %q });\n", n.b.Arch),
				0o644); err != nil {
				return nil, nil, err
			}
			e.Set("NODE_OPTIONS", fmt.Sprintf("--require=%q", file))
		}
	case "yarn":
		argv = []string{"yarn", "install", "--immutable", "--mode=skip-build"}
		e = env.Environment{{Name: "YARN_IGNORE_PATH", Value: "1"}, {Name: "YARN_ENABLE_TELEMETRY", Value: "0"},
			{Name: "YARN_GLOBAL_FOLDER", Value: filepath.Join(caches, "yarn")}}
		if n.Offline {
			e.Set("YARN_ENABLE_NETWORK", "0")
		}
		if err := n.yarnConfig(there); err != nil {
			return nil, nil, err
		}
	default:
		argv = []string{"npm", "ci", "--ignore-scripts", "--include=optional", "--no-audit", "--no-fund",
			"--no-update-notifier"}
		if n.b.Workspace != "" {
			argv = append(argv, "--workspace="+filepath.ToSlash(disk.Relative(n.top(), n.a.Build)))
			if n.test {
				argv = append(argv, "--include-workspace-root")
			}
		}
		switch {
		case n.test:
			argv = append(argv, "--include=dev", "--prefer-offline")
		case production:
			argv = append(argv, "--omit=dev")
		}
		if there {
			argv = append(argv, "--os=linux", "--cpu="+n.b.Arch, "--libc="+n.b.Libc)
		}
		if n.Offline {
			e.Set("npm_config_offline", "true")
		}
	}
	return argv, e, nil
}

// pnpmHasFlags tells whether this pnpm has flags for the platform (10.14 and newer).
func (n *nodeRun) pnpmHasFlags() bool {
	v, err := semver.NewVersion(n.b.ManagerVersion)
	return err == nil && !v.LessThan(semver.MustParse("10.14.0"))
}

// pnpmPlatform tells a pnpm that has no flags for it the platform: in package.json of the copy, while it runs. original
// is what is to be there again.
func (n *nodeRun) pnpmPlatform(original map[string][]byte) error {
	if n.pnpmHasFlags() {
		return nil
	}
	file := filepath.Join(n.top(), "package.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	settings, _ := doc["pnpm"].(map[string]any)
	if settings == nil {
		settings = map[string]any{}
	}
	settings["supportedArchitectures"] = map[string][]string{"os": {"linux"}, "cpu": {n.b.Arch}, "libc": {n.b.Libc}}
	doc["pnpm"] = settings
	changed, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	original[file] = data
	return disk.Write(file, changed)
}

var registryOfYarn = lazyregexp.New(`(?m)^npmRegistryServer:`)

// yarnConfig writes what yarn 4 takes from files alone, beside the copy: it reads its configuration in all directories
// upwards, and the nearest counts. It reads none of npm's: the registry that npm is configured with is yarn's too,
// unless one of yarn's own files names another.
func (n *nodeRun) yarnConfig(there bool) error {
	text := ""
	if there {
		text += fmt.Sprintf("supportedArchitectures:\n  os: [linux]\n  cpu: [%s]\n  libc: [%s]\n", n.b.Arch, n.b.Libc)
	}
	own := false
	for _, dir := range []string{n.top(), n.Environ.Lookup("HOME")} {
		data, err := os.ReadFile(filepath.Join(dir, ".yarnrc.yml"))
		own = own || err == nil && registryOfYarn.Match(data)
	}
	if !own && n.Registry != "" {
		text += fmt.Sprintf("npmRegistryServer: %q\n", n.Registry)
	}
	file := filepath.Join(filepath.Dir(n.a.Top), ".yarnrc.yml")
	if have, err := os.ReadFile(file); err == nil && string(have) == text {
		return nil
	}
	return disk.Write(file, []byte(text))
}

// inModules tells the packages of a workspace from those that were installed.
func inModules(rel string) bool {
	return slices.Contains(strings.Split(filepath.ToSlash(rel), "/"), "node_modules")
}

// owner is the directory of the installed package that a path, relative to the workspace, belongs to; the path itself
// where it stands for a package.
func owner(rel string) string {
	parts := strings.Split(filepath.ToSlash(rel), "/")
	for i := len(parts) - 2; i >= 0; i-- {
		if parts[i] == "node_modules" {
			end := i + 2
			if strings.HasPrefix(parts[i+1], "@") {
				end = min(i+3, len(parts))
			}
			return filepath.Join(parts[:end]...)
		}
	}
	return ""
}

// wanted tells whether a path in a node_modules is laid out, where less is than was installed: what belongs to a
// package that is needed, and links to these.
func (n *nodeRun) wanted(path, rel string, d fs.DirEntry, owners map[string]node.Package, links []string) bool {
	dir := filepath.Join(n.top(), owner(rel))
	switch {
	case path == dir:
		return slices.Contains(links, path)
	case filepath.Base(dir) != ".bin":
		_, ok := owners[dir]
		return ok
	case d.Type()&fs.ModeSymlink == 0:
		return false // pnpm's and yarn's own, which name places of this machine
	}
	to, err := os.Readlink(path)
	if err != nil || filepath.IsAbs(to) {
		return false
	}
	to = filepath.Join(filepath.Dir(path), to)
	if _, ok := owners[filepath.Join(n.top(), owner(disk.Relative(n.top(), to)))]; ok {
		return true
	}
	for _, l := range links { // to a link to a package
		if disk.Within(to, l) {
			return true
		}
	}
	return false
}

// elsewhere are the names of packages that are installed on some platforms only.
func (n *nodeRun) elsewhere(packages []node.Package) (map[string]bool, error) {
	if n.b.Manager == "" || n.b.Manager == "npm" {
		return platformPackages(n.top())
	}
	out := map[string]bool{}
	for _, p := range packages {
		for name := range p.Optional {
			out[name] = true
		}
	}
	for _, p := range packages {
		if len(p.OS)+len(p.CPU)+len(p.Libc) == 0 {
			delete(out, p.Name)
		}
	}
	return out, nil
}
