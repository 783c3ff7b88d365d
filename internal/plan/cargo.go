package plan

import (
	"xbuild/internal/platform"
	"xbuild/internal/resolve"
)

// RequireRecipe says what the lock has to hold for a recipe's tools to be called for a platform by hand, in a directory
// of sources.
func (pl *Planner) RequireRecipe(name, dir string, p platform.Platform) (resolve.Requests, []string, error) {
	var req resolve.Requests
	var toolchains []string
	p, err := pl.WithLibc(p)
	if err != nil {
		return req, nil, err
	}
	for _, need := range pl.Catalog.Recipe(name).Needs {
		if need.When != "" {
			continue // it depends on a target's options
		}
		if ok, err := pl.wanted(need, dir, name); err != nil || !ok {
			if err != nil {
				return req, nil, err
			}
			continue
		}
		need = pl.compiled(need, &pl.Tools, p)
		toolchains = append(toolchains, need.Toolchains...)
		if err := pl.requireNeed(&req, need, p, nil, p.Name); err != nil {
			return req, nil, err
		}
	}
	return req, toolchains, nil
}
