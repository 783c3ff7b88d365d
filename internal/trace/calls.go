//go:build linux

package trace

import "golang.org/x/sys/unix"

// A call is a system call that takes a path, as it is recorded. Arguments are numbered from 0; -1 stands for none.
type call struct {
	kind  kind
	dir   int // the descriptor that a relative path starts at
	path  int
	flags int // open's, or the AT_ flags of stat
	also  int // the other path of rename and link
}

type kind uint8

const (
	look   kind = iota // it is asked whether, and what, it is
	open               // it depends on the flags
	list               // the names of a directory are read, by its descriptor
	open2              // the flags are in a struct (openat2(2))
	write              // made, changed or removed
	rename             // both paths are written
	link               // the first path's content is the other's too
)

var (
	lookAt = call{look, 0, 1, -1, -1}
	statAt = call{look, 0, 1, 3, -1}
	lookUp = call{look, -1, 0, -1, -1}
)

// at are the calls that every machine has, by their numbers on this one. execve(2) is not among them: the runtime of Go
// starts a process by a vfork, in which its thread keeps a processor and the garbage collector waits for it until the
// call is answered, by this process. A program is seen by its first call that is.
func at() map[uint32]call {
	return map[uint32]call{
		unix.SYS_OPENAT: {open, 0, 1, 2, -1}, unix.SYS_OPENAT2: {open2, 0, 1, 2, -1},
		fstatat: statAt, unix.SYS_STATX: {look, 0, 1, 2, -1}, unix.SYS_FACCESSAT: lookAt, unix.SYS_FACCESSAT2: lookAt,
		unix.SYS_READLINKAT: lookAt,
		unix.SYS_GETDENTS64: {list, 0, -1, -1, -1}, unix.SYS_MKDIRAT: {write, 0, 1, -1, -1}, unix.SYS_MKNODAT: {write, 0, 1,
			-1, -1}, unix.SYS_UNLINKAT: {write, 0, 1, -1, -1}, unix.SYS_SYMLINKAT: {write, 1, 2, -1, -1},
		unix.SYS_RENAMEAT: {rename, 0, 1, -1, 3}, unix.SYS_RENAMEAT2: {rename, 0, 1, -1, 3},
		unix.SYS_LINKAT: {link, 0, 1, -1, 3}, unix.SYS_TRUNCATE: {write, -1, 0, -1, -1},
	}
}

// An abi is one of the ways by which a program calls the kernel.
type abi struct {
	audit uint32 // AUDIT_ARCH_* of linux/audit.h
	calls map[uint32]call
}
