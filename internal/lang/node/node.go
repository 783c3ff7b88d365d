// Package node is the recipe for native modules of Node: node-gyp's environment, what a project's package manager and
// workspace ask for, and the Node that tests run in. What a module is package xbuild/internal/node knows.
package node

import (
	"path/filepath"
	"slices"

	"xbuild/internal/catalog"
	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/project"
	"xbuild/internal/toolset"
)

// Language is Node's.
var Language = lang.Language{
	Name: "node", Ask: manager, Vars: managed, Source: source, Environment: environment, ByHand: byHand,
	Work: work, Tests: tests,
	Step: step, Fetch: fetch, Test: test, Script: script, Runtime: &lang.Runtime{Require: Require, Locked: Locked},
	Home: []env.Var{{Name: "npm_config_userconfig", Value: ".npmrc"}},
}

// toolchain is the name of the toolchain.
const toolchain = "node"

// managed says which package manager a project has.
func managed(ts *toolset.Tools, t project.Target, vars catalog.Vars) {
	if w, err := workspace(ts, t); err == nil { // what is wrong Ask has said
		vars["manager"] = w.Manager
	}
}

// script tells of a file that is no program whether Node.js runs it; byName where nothing but its name says so.
func script(path, interpreter string, executable bool) (is, byName bool) {
	byName = slices.Contains([]string{".js", ".mjs", ".cjs"}, filepath.Ext(path)) && !executable
	return byName || slices.Contains([]string{"node", "nodejs"}, interpreter), byName
}
