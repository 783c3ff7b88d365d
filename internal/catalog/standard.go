package catalog

import (
	"fmt"
	"io/fs"
	"sync"

	"xbuild/sysroots"
)

// Standard says from which release on C++ libraries have headers and names of the standard library that not every
// sysroot's has.
type Standard struct {
	Headers map[string]Since `toml:"headers"`
	Names   map[string]Since `toml:"names"` // without std::
}

// A Since is when something came into the C++ standard, by the standard's year, and into its libraries: releases of GCC
// and of LLVM, 0 where none has it.
type Since struct {
	Std  int `toml:"std"`
	GCC  int `toml:"gcc"`
	LLVM int `toml:"llvm"`
}

// LoadStandard reads the embedded table, once.
var LoadStandard = sync.OnceValues(func() (*Standard, error) {
	const file = "standard/standard.toml"
	data, err := fs.ReadFile(sysroots.Files, file)
	if err != nil {
		return nil, err
	}
	s := &Standard{}
	if err := decode(data, s); err != nil {
		return nil, fmt.Errorf("sysroots/%s: %w", file, err)
	}
	return s, nil
})
