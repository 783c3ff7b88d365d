//go:build amd64 || arm64

package trace

import (
	"maps"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data of linux/seccomp.h. Both machines are little-endian.
const (
	offNr   = 0
	offArch = 4
	offArgs = 16
)

// install gives this thread, and the processes that it starts, the filter, and returns the descriptor at which it asks.
// Programs gain no privileges by their file then, which a build has no use for (prctl(2), PR_SET_NO_NEW_PRIVS).
func install() (listener int, err error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	code := filter()
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	// Where the kernel knows it (5.19), a signal does not break off a call that is being answered, and no program sees
	// an EINTR that it does not expect.
	const listen, killable = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	for _, flags := range []uintptr{listen | killable, listen} {
		fd, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags,
			uintptr(unsafe.Pointer(&prog)))
		if e == 0 {
			return int(fd), nil
		}
		if err = e; e != unix.EINVAL {
			break
		}
	}
	return 0, err
}

// filter is a program of classic BPF (seccomp(2)) that asks at the calls of the tables.
func filter() []unix.SockFilter {
	jump := func(k uint32, yes, no int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: uint8(yes), Jf: uint8(no)}
	}
	load := func(off uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: off}
	}
	ret := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	// section looks one way of calling up: what is none of its calls is allowed.
	section := func(a abi) []unix.SockFilter {
		// io_uring opens files without a call; a program that is told that there is none does as on older kernels. Its
		// number is the same everywhere.
		end := []unix.SockFilter{ret(unix.SECCOMP_RET_ALLOW), ret(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS))}
		// A stat of a descriptor alone names no path (stat(2), AT_EMPTY_PATH).
		ask := []unix.SockFilter{ret(unix.SECCOMP_RET_USER_NOTIF)}
		empty := func(arg int) []unix.SockFilter {
			test := unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: unix.AT_EMPTY_PATH, Jt: 0, Jf: 1}
			return []unix.SockFilter{load(uint32(offArgs + 8*arg)), test, ret(unix.SECCOMP_RET_ALLOW)}
		}
		numbers := slices.Sorted(maps.Keys(a.calls))
		n := len(numbers) + 1 // comparisons
		// Layout: load, comparisons, end (2), empty of argument 2 (3) and a jump, empty of argument 3 (3), ask.
		at2 := n + len(end)
		at3 := at2 + 4
		atAsk := at3 + 3
		out := []unix.SockFilter{load(offNr)}
		for i, nr := range numbers {
			to := atAsk
			switch c := a.calls[nr]; {
			case c.kind == look && c.flags == 2:
				to = at2
			case c.kind == look && c.flags == 3:
				to = at3
			}
			out = append(out, jump(nr, to-i-1, 0))
		}
		out = append(out, jump(unix.SYS_IO_URING_SETUP, 1, 0))
		out = append(out, end...)
		out = append(out, empty(2)...)
		out = append(out, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: 3})
		out = append(out, empty(3)...)
		return append(out, ask...)
	}
	first, second := section(native), section(narrow)
	out := []unix.SockFilter{load(offArch), jump(native.audit, 0, len(first))}
	out = append(out, first...)
	out = append(out, jump(narrow.audit, 1, 0), ret(unix.SECCOMP_RET_ALLOW))
	return append(out, second...)
}
