package trace

import (
	"maps"

	"golang.org/x/sys/unix"
)

const fstatat = unix.SYS_NEWFSTATAT

var native = abi{unix.AUDIT_ARCH_X86_64, func() map[uint32]call {
	m := at()
	maps.Copy(m, map[uint32]call{
		unix.SYS_GETDENTS: {list, 0, -1, -1, -1}, unix.SYS_OPEN: {open, -1, 0, 1, -1}, unix.SYS_CREAT: {write, -1, 0, -1, -1}, unix.SYS_STAT: lookUp, unix.SYS_LSTAT: lookUp, unix.SYS_ACCESS: lookUp,
		unix.SYS_READLINK: lookUp, unix.SYS_RENAME: {rename, -1, 0, -1, 1}, unix.SYS_MKDIR: {write, -1, 0, -1, -1}, unix.SYS_RMDIR: {write, -1, 0, -1, -1},
		unix.SYS_LINK: {link, -1, 0, -1, 1}, unix.SYS_UNLINK: {write, -1, 0, -1, -1}, unix.SYS_SYMLINK: {write, -1, 1, -1, -1}, unix.SYS_MKNOD: {write, -1, 0, -1, -1},
	})
	return m
}()}

// narrow is i386's way, with the numbers of arch/x86/entry/syscalls/syscall_32.tbl.
var narrow = abi{unix.AUDIT_ARCH_I386, map[uint32]call{
	5: {open, -1, 0, 1, -1}, 8: {write, -1, 0, -1, -1}, 9: {link, -1, 0, -1, 1}, 10: {write, -1, 0, -1, -1}, 14: {write, -1, 0, -1, -1}, 33: lookUp,
	38: {rename, -1, 0, -1, 1}, 39: {write, -1, 0, -1, -1}, 40: {write, -1, 0, -1, -1}, 83: {write, -1, 1, -1, -1}, 85: lookUp, 92: {write, -1, 0, -1, -1},
	106: lookUp, 107: lookUp, 193: {write, -1, 0, -1, -1}, 195: lookUp, 196: lookUp, 295: {open, 0, 1, 2, -1}, 296: {write, 0, 1, -1, -1}, 297: {write, 0, 1, -1, -1},
	141: {list, 0, -1, -1, -1}, 220: {list, 0, -1, -1, -1}, 300: statAt, 301: {write, 0, 1, -1, -1}, 302: {rename, 0, 1, -1, 3}, 303: {link, 0, 1, -1, 3}, 304: {write, 1, 2, -1, -1}, 305: lookAt, 307: lookAt,
	353: {rename, 0, 1, -1, 3}, 383: {look, 0, 1, 2, -1}, 437: {open2, 0, 1, 2, -1}, 439: lookAt,
}}
