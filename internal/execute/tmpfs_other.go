//go:build !linux

package execute

// free is not known: nothing is built on a host that is not Linux.
func free(string) (bytes uint64, known bool) { return 0, false }

// onTmpfs is false: nothing is emulated on a host that is not Linux.
func onTmpfs(string) bool { return false }
