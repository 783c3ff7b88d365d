// Package toolchains embeds the definitions of the programs that run on the host, one TOML file each.
package toolchains

import "embed"

// Files holds every definition; package catalog reads them.
//
//go:embed *.toml
var Files embed.FS
