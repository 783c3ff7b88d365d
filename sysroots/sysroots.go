// Package sysroots embeds the definitions of the headers and libraries of the platforms, one TOML file each, the C
// files that they name, and what the releases of C++ libraries have of the standard.
package sysroots

import "embed"

// Files holds every definition; package catalog reads them.
//
//go:embed *.toml */*.c */*.h */*.toml
var Files embed.FS
