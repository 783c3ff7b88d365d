package inspect

import (
	"fmt"
	"slices"
	"sync"

	"xbuild/internal/object"
	"xbuild/internal/platform"
)

// A Header is what an ELF file says of itself in its first bytes, and the loader that it asks for.
type Header object.Header

// ReadHeader reads a file's header and the name of its loader, and nothing more.
func ReadHeader(path string) (Header, error) {
	s, f, err := object.Open(path)
	if err != nil {
		return Header{}, err
	}
	defer f.Close()
	e, err := object.OpenELF(s)
	if err == nil {
		err = e.ReadInterp()
	}
	if err != nil {
		return Header{}, fmt.Errorf("%s: %w", path, err)
	}
	return Header(e.Header), nil
}

// For reports whether the header is of a platform's machine.
func (h Header) For(p platform.Platform) bool {
	return h.Machine == p.Machine && h.Class == p.Class && h.Data == p.Data
}

// withSysroot are the platforms whose programs are told apart by their header; asked for once for each member of an
// archive.
var withSysroot = sync.OnceValue(func() []platform.Platform {
	return slices.DeleteFunc(platform.All(), func(p platform.Platform) bool { return !p.HasC() })
})

// Platform is the platform that the header names, without variants. 32-bit ARM counts as v7 unless its loader or its
// flags are of the soft-float ABI: what else the code needs is not in the header.
func (h Header) Platform() (platform.Platform, bool) {
	var found []platform.Platform
	for _, c := range withSysroot() {
		if h.For(c) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return platform.Platform{}, false
	}
	if i := slices.IndexFunc(found, func(c platform.Platform) bool {
		return h.Interp != "" && c.Interp == h.Interp
	}); i >= 0 {
		return found[i], true
	}
	if float := h.meaning().float; float != "" {
		if i := slices.IndexFunc(found, func(c platform.Platform) bool { return c.Float == float }); i >= 0 {
			return found[i], true
		}
	}
	return found[0].Base(), true
}
