// Package table lists the languages.
package table

import (
	"debug/elf"
	"slices"

	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/lang"
	"xbuild/internal/lang/cc"
	"xbuild/internal/lang/golang"
	"xbuild/internal/lang/node"
	"xbuild/internal/lang/rust"
	"xbuild/internal/platform"
	"xbuild/internal/project"
)

// Languages are all, each before those that build on what it adds: a module of Node may have Rust in it, and what tells
// the host's compilers apart by itself comes before C.
var Languages = []*lang.Language{&rust.Language, &node.Language, &cc.Language, &golang.Language}

// Of is the language of a name. A name that is not in the table, as "" is not, is one that needs nothing beyond TOML.
func Of(name string) *lang.Language {
	i := slices.IndexFunc(Languages, func(l *lang.Language) bool { return l.Name == name })
	if i < 0 {
		return &lang.Language{Name: name}
	}
	return Languages[i]
}

// Word is what stands in hints for a word and a file of a target's: what the language that knows the word says.
func Word(word, file string, t project.Target, p platform.Platform) string {
	for _, l := range Languages {
		if l.Word != nil {
			if text := l.Word(word, file, t, p); text != "" {
				return text
			}
		}
	}
	return ""
}

// Runtime is what tests of a platform run in, of the language that has one.
func Runtime() *lang.Runtime {
	i := slices.IndexFunc(Languages, func(l *lang.Language) bool { return l.Runtime != nil })
	return Languages[i].Runtime // a test of this package sees that there is one
}

// Script tells of a file whether it is a script of a language that has a Runtime; byName where nothing but its name
// says so.
func Script(path, interpreter string, executable bool) (is, byName bool) {
	for _, l := range Languages {
		if l.Script != nil {
			if is, byName = l.Script(path, interpreter, executable); is {
				return is, byName
			}
		}
	}
	return false, false
}

// ForHost returns the variables by which build systems that are called by hand find what compiles for the host, whose
// programs run while a project is built, beside what env.ForC says of the platform: autoconf's and make's
// (env.ForBuild), and those of each language. linker is what links for the host without a word more. What has no name
// of its own, Meson's files and CMake's for the host, gets one. flags are the caller's for make.
func ForHost(v, host, linker compose.View, s env.Settings, flags string) env.Environment {
	e := env.ForBuild(host)
	for _, l := range Languages {
		if l.ByHand != nil {
			e = e.Merge(l.ByHand(v, host, linker, s))
		}
	}
	e.Set("HOST_CMAKE_TOOLCHAIN_FILE", host.CMakeToolchain())
	e.Set("XBUILD_MESON_CROSS", v.Meson())
	e.Set("XBUILD_MESON_NATIVE", host.Meson())
	e.Set("MAKEFLAGS", env.HostMake(flags, v.Platform.Class == elf.ELFCLASS32))
	return e
}
