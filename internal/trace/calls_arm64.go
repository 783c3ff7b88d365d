package trace

import "golang.org/x/sys/unix"

const fstatat = unix.SYS_FSTATAT

var native = abi{unix.AUDIT_ARCH_AARCH64, at()}

// narrow is the way of 32-bit Arm (EABI), with the numbers of arch/arm/tools/syscall.tbl.
var narrow = abi{unix.AUDIT_ARCH_ARM, map[uint32]call{
	5: {open, -1, 0, 1, -1}, 8: {write, -1, 0, -1, -1}, 9: {write, -1, 1, -1, -1}, 10: {write, -1, 0, -1, -1}, 14: {write, -1, 0, -1, -1}, 33: lookUp,
	38: {rename, -1, 0, -1, 1}, 39: {write, -1, 0, -1, -1}, 40: {write, -1, 0, -1, -1}, 83: {write, -1, 1, -1, -1}, 85: lookUp, 92: {write, -1, 0, -1, -1},
	106: lookUp, 107: lookUp, 193: {write, -1, 0, -1, -1}, 195: lookUp, 196: lookUp, 322: {open, 0, 1, 2, -1}, 323: {write, 0, 1, -1, -1}, 324: {write, 0, 1, -1, -1},
	141: {list, 0, -1, -1, -1}, 217: {list, 0, -1, -1, -1}, 327: statAt, 328: {write, 0, 1, -1, -1}, 329: {rename, 0, 1, -1, 3}, 330: {write, 2, 3, -1, -1}, 331: {write, 1, 2, -1, -1}, 332: lookAt, 334: lookAt,
	382: {rename, 0, 1, -1, 3}, 397: {look, 0, 1, 2, -1}, 437: {open2, 0, 1, 2, -1}, 439: lookAt,
}}
