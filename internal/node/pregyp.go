package node

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
)

// PreGyp are the arguments that node-pre-gyp adds to node-gyp's, none for a package that is not built by it: what
// package.json says of the compiled file, which binding.gyp names as <(module_name) and <(module_path) (node-pre-gyp,
// lib/util/handle_gyp_opts.js and versioning.js). The path is the one in which node-pre-gyp looks for the file when the
// package is loaded.
func (p Package) PreGyp(b Build, h Headers) ([]string, error) {
	var binary struct {
		Name     string            `json:"module_name"`
		Path     string            `json:"module_path"`
		Versions []json.RawMessage `json:"napi_versions"` // numbers, of some packages strings
	}
	if json.Unmarshal(p.Binary, &binary) != nil || binary.Name == "" || binary.Path == "" {
		return nil, nil
	}
	abi, napi, err := h.ABI()
	if err != nil {
		return nil, err
	}
	best := 0 // version of Node-API of those that the package is for
	for _, raw := range binary.Versions {
		if v, err := strconv.Atoi(strings.Trim(string(raw), `"`)); err == nil && v <= napi {
			best = max(best, v)
		}
	}
	nodeABI := "node-v" + strconv.Itoa(abi)
	label := nodeABI
	if best > 0 {
		label = "napi-v" + strconv.Itoa(best)
	}
	version, _, _ := strings.Cut(p.Version, "+")
	core, pre, _ := strings.Cut(version, "-")
	parts := append(strings.SplitN(core, ".", 3), "", "", "")
	path := strings.NewReplacer("{name}", p.Name, "{module_name}", binary.Name, "{version}", p.Version, "{prerelease}",
		pre, "{major}", parts[0], "{minor}", parts[1], "{patch}", parts[2],
		"{configuration}", "Release", "{runtime}", "node", "{node_abi}", nodeABI, "{node_abi_napi}", "napi", "{napi_version}",
		strconv.Itoa(napi), "{napi_build_version}", strconv.Itoa(best),
		"{node_napi_label}", label, "{platform}", "linux", "{target_platform}", "linux", "{arch}", b.Arch, "{target_arch}",
		b.Arch, "{libc}", b.Libc, "{target_libc}", b.Libc,
		"{toolset}", "", "{target}", "", "{build}", "", "{debug}", "false").Replace(binary.Path)
	path = filepath.Join(p.Dir, path)
	return []string{"--module=" + filepath.Join(path, binary.Name+".node"), "--module_name=" + binary.Name,
		"--module_path=" + path, "--napi_version=" + strconv.Itoa(napi),
		"--node_abi_napi=napi", "--napi_build_version=" + strconv.Itoa(best), "--node_napi_label=" + label}, nil
}
