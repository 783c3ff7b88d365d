package rust

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/disk"
	"xbuild/internal/lazyregexp"
)

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
			own := slices.ContainsFunc(project, func(dir string) bool { return dir != "" && disk.Within(m.Manifest, dir) })
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

// sameLinker tells whether cargo links what is for the host by the same program in two actions, which is part of a
// fingerprint. The platform that is the host's own has the platform's there.
func sameLinker(a, b *action.Action) bool {
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

// hostUnit is the hash in the name of a file of cargo's.
func hostUnit(name string) string {
	if m := unitHash.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}
