package execute

import "golang.org/x/sys/unix"

// free is how many bytes can still be written where a directory is; known is false where nothing tells.
func free(dir string) (bytes uint64, known bool) {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}

// onTmpfs reports whether a directory is on a tmpfs with some room.
func onTmpfs(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && s.Type == unix.TMPFS_MAGIC && s.Bavail*uint64(s.Bsize) >= 16<<20
}
