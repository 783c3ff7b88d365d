// Package recipes embeds the definitions of how each kind of project is built, one TOML file each.
package recipes

import "embed"

// Files holds every definition; package catalog reads them.
//
//go:embed *.toml
var Files embed.FS
