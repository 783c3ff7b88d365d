package compose

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"xbuild/internal/inspect"
)

// configScript is the content of a program by the name of one of the sysroot's scripts that tell builds how its
// libraries are used: xml2-config, pg_config. They print directories below /usr, where their packages are made for, and
// a build on this host would take the host's. This one runs the script and prints the sysroot's directories in the
// place of those. It finds the sysroot from where it lies, as the compiler does.
func (v View) configScript(name string) string {
	return fmt.Sprintf(`#!/bin/sh
# %[1]s of %[2]s: made by xbuild
root=$(CDPATH= cd -- "${0%%/*}/../../%[3]s" && pwd -P) || exit
DEB_HOST_MULTIARCH=%[4]s
export DEB_HOST_MULTIARCH root
out=$("$root/usr/bin/%[1]s" "$@")
code=$?
test -z "$out" || printf '%%s\n' "$out" | awk '%[5]s'
exit $code
`, name, v.Platform.Name, v.Sysroot.Key, v.Platform.Multiarch, inSysroot)
}

// inSysroot is a program of awk that puts the directory in the variable root before each path below /usr: those that
// stand alone, and those behind options of the compiler and the linker. What has it already stays.
const inSysroot = `{
  line = ""
  rest = $0
  while ((i = index(rest, "/usr")) > 0) {
    j = index(rest, ENVIRON["root"])
    if (j > 0 && j <= i) {
      n = j + length(ENVIRON["root"]) + 3
      line = line substr(rest, 1, n)
      rest = substr(rest, n + 1)
      continue
    }
    before = line substr(rest, 1, i - 1)
    after = substr(rest, i + 4, 1)
    if (before ~ /(^|[^A-Za-z0-9_.\/-]|(^|[^A-Za-z0-9_])-([ILFRB]|isystem|idirafter|iquote|include))$/ && after !~ /[A-Za-z0-9_.-]/)
      line = before ENVIRON["root"] "/usr"
    else
      line = before "/usr"
    rest = substr(rest, i + 4)
  }
  print line rest
}`

// configScripts puts programs by the names of the sysroot's scripts of that kind into bin. What is no script is a
// program for the platform: it is left out.
func (v View) configScripts(bin string) error {
	dir := filepath.Join(v.Sysroot.Dir, "usr/bin")
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, "config") || !inspect.Script(filepath.Join(dir, name)) {
			continue
		}
		for _, n := range []string{name, v.Platform.Triplet + "-" + name} {
			to := filepath.Join(bin, n)
			if _, err := os.Lstat(to); err == nil {
				continue // pkg-config is the view's own
			}
			if err := os.WriteFile(to, []byte(v.configScript(name)), 0o755); err != nil {
				return err
			}
		}
	}
	return nil
}
