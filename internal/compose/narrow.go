package compose

import "strings"

// Narrowly returns a host view whose compilers make, with -m32, programs of the host's 32-bit side: p with its
// baseline's flags and its sysroot. Some projects run a program that has the platform's size of pointers while they are
// built (LuaJIT). They are linked statically, so that the host needs nothing of a 32-bit system but its kernel.
func (v View) Narrowly(root string, narrow View) View {
	v.narrow = &narrow
	return v.keyed(root, "host-")
}

// narrowConfig is what clang reads with -m32: it asks for the name of the 32-bit machine then, under each vendor that
// the 64-bit one has (Clang User's Manual, "Configuration files").
func (v View) narrowConfig() (triples []string, text string) {
	if v.narrow == nil {
		return nil, ""
	}
	llvm := v.narrow.Platform.LLVM
	return []string{llvm, strings.Replace(llvm, "-unknown-", "-pc-", 1)}, v.narrow.base(llvm) + "-static\n"
}
