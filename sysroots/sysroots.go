// Package sysroots embeds the definitions of the headers and libraries of the platforms, one TOML file each, and the C
// files that they name.
package sysroots

import "embed"

// Files holds every definition; package catalog reads them.
//
//go:embed *.toml */*.c */*.h
var Files embed.FS
