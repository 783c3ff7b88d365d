//go:build !linux || !(amd64 || arm64)

package answer

import (
	"errors"

	"golang.org/x/sys/unix"
)

// stat is fstatat(2) of a path with a NUL behind it.
func stat(name []byte, st *unix.Stat_t, flags int) unix.Errno {
	for {
		err := unix.Fstatat(unix.AT_FDCWD, string(name[:len(name)-1]), st, flags)
		var no unix.Errno
		if err == nil || errors.As(err, &no) && no != unix.EINTR {
			return no
		}
	}
}
