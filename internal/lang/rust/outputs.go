package rust

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// cargoMessage is what is read of one line of cargo's messages (The Cargo Book, "External tools").
type cargoMessage struct {
	Reason   string `json:"reason"`
	Manifest string `json:"manifest_path"`
	Target   struct {
		Kind []string `json:"kind"`
	} `json:"target"`
	Filenames  []string `json:"filenames"`
	Executable string   `json:"executable"`
}

// built are the files of outputs, of which there has to be one.
func built(file, root string) ([]string, error) {
	files, err := outputs(file, root)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("outputs: cargo succeeded, but built no program and no cdylib or staticlib of the packages in %s",
			root)
	}
	return files, err
}

// outputs returns the files that cargo built of the packages below root for others than cargo itself: programs,
// examples, C libraries. Packages elsewhere are dependencies.
func outputs(file, root string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 64<<20)
	for n := 1; scan.Scan(); n++ {
		line := scan.Text()
		if !strings.HasPrefix(line, "{") {
			continue // a build script or linker that printed to standard output
		}
		var m cargoMessage
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		if rel, err := filepath.Rel(root, m.Manifest); m.Reason != "compiler-artifact" || err != nil ||
			!filepath.IsLocal(rel) {
			continue
		}
		files := m.Filenames
		switch {
		case m.Executable != "":
			files = []string{m.Executable}
		case !slices.ContainsFunc(m.Target.Kind, func(k string) bool { return k == "cdylib" || k == "staticlib" }):
			continue
		}
		for _, f := range files {
			// What another program links by (.dll.a) or is debugged with (.pdb) stays where it is.
			if !slices.Contains([]string{".rlib", ".rmeta", ".d", ".pdb"}, filepath.Ext(f)) && !strings.HasSuffix(f, ".dll.a") &&
				!slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out, scan.Err()
}
