// Package sysroots embeds the definitions of the headers and libraries of the platforms, one TOML file each.
package sysroots

import "embed"

// Files holds every definition; package catalog reads them.
//
//go:embed *.toml
var Files embed.FS
