package execute

import "golang.org/x/sys/unix"

// onTmpfs reports whether a directory is on a tmpfs with some room.
func onTmpfs(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && s.Type == unix.TMPFS_MAGIC && s.Bavail*uint64(s.Bsize) >= 16<<20
}
