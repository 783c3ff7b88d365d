package node

import (
	"fmt"
	"path/filepath"

	"xbuild/internal/action"
	"xbuild/internal/catalog"
	"xbuild/internal/project"
	"xbuild/internal/toolset"
)

// source has the workspace copied that the source is in. What a build for the host left behind in its packages is
// left out, as it is in the source.
func source(ts *toolset.Tools, a *action.Action, t project.Target, vars catalog.Vars) error {
	w, err := workspace(ts, t)
	if err != nil || w.Source == "." {
		return err
	}
	up, err := filepath.Rel(a.Source, w.Root)
	if err != nil {
		return err
	}
	if root, _ := vars["root"].(string); root == "" {
		vars["root"] = up
	} else if rel, err := filepath.Rel(filepath.Join(a.Source, filepath.FromSlash(root)), w.Root); err != nil ||
		!filepath.IsLocal(rel) {
		return fmt.Errorf("root %q is below the workspace that the source is in (%s): leave it out, or name that directory or one above it", root, w.Root)
	}
	for _, m := range w.Members {
		if dir := filepath.Join(w.Root, filepath.FromSlash(m)); dir != a.Source {
			if ts.Files.Exists(filepath.Join(dir, "binding.gyp")) {
				for _, made := range []string{"build", "prebuilds"} {
					rel, err := filepath.Rel(a.Source, filepath.Join(dir, made))
					if err != nil {
						return err
					}
					a.Skip = append(a.Skip, filepath.ToSlash(rel))
				}
			}
		}
	}
	return nil
}
