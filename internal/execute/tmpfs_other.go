//go:build !linux

package execute

// onTmpfs is false: nothing is emulated on a host that is not Linux.
func onTmpfs(string) bool { return false }
