// Package toolset says what a project's platforms are built with: which toolchains, sysroots and compiler views, as
// requests that the lock has to hold, and as values once it holds them. It fetches and composes none of them.
package toolset

import (
	"xbuild/internal/catalog"
	"xbuild/internal/lock"
	"xbuild/internal/platform"
	"xbuild/internal/project"
	"xbuild/internal/scan"
)

// Tools are what the toolchains, sysroots and views of a project are chosen by.
type Tools struct {
	Project *project.Project
	Catalog *catalog.Catalog
	Lock    *lock.Lock
	Store   string // the store's directory
	Host    platform.Platform
	Files   scan.Files // all that is read of the project
	CC      string     // the compiler of C that a target names; "" where the platform or the project says it
	Stdlib  string     // the C++ library, the same
}
