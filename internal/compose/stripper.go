package compose

import (
	"fmt"
	"slices"
	"strings"

	"xbuild/internal/unstripped"
)

// stripper is the content of a program by the name of such a tool. The linker is not given what it does not know and
// what changes nothing. While an action runs, xbuild keeps what the tool is
// about to take away, because the audit wants it (package unstripped); everywhere else, and where a linker strips
// nothing, the script becomes the tool at once, which takes about a millisecond. It finds the tool from where it lies,
// as the compiler does.
func (v View) stripper(program string) string {
	keep := `exec "${XBUILD:-xbuild}" unstripped "$tool" "$@"`
	if program == v.Compiler.compiler().Linker {
		stripping := strings.Join(slices.Concat(unstripped.StripAll, unstripped.DiscardAll), " | ")
		keep = fmt.Sprintf("for arg; do case $arg in %s | @*) %s ;; esac; done", stripping, keep)
	}
	unheeded := ""
	if program == v.Compiler.compiler().Linker && len(v.Compiler.unheeded) > 0 {
		// A list is looked through once; only where one of the options is in it, it is put together anew.
		patterns := make([]string, len(v.Compiler.unheeded))
		for i, o := range v.Compiler.unheeded {
			patterns[i] = fmt.Sprintf(`*" %s "*`, o)
			if name, ok := strings.CutSuffix(o, "*"); ok {
				patterns[i] = fmt.Sprintf(`*" %s"*`, name)
			}
		}
		unheeded = fmt.Sprintf(`case " $* " in
%s)
  n=$#
  while test $n -gt 0; do
    arg=$1
    shift
    n=$((n - 1))
    case $arg in %s) ;; *) set -- "$@" "$arg" ;; esac
  done
  ;;
esac
`, strings.Join(patterns, " | \\\n"), strings.Join(v.Compiler.unheeded, " | "))
	}
	needs := ""
	if v.GCC() && program == v.Compiler.compiler().Linker {
		// What optimises while it links has make run its parts, and the host's may not know this way to be given jobs.
		unheeded = `case $MAKEFLAGS in
*--jobserver-auth=fifo:*) case $(command -v make) in */toolchain-make-*) ;; *) unset MAKEFLAGS ;; esac ;;
esac
`
	}
	if program == v.Compiler.compiler().Linker {
		at := `"-L$dir/lib"`
		if v.Host {
			// Programs of the host are started from their prefix, or where they were linked: at the top of the build
			// directory, or below.
			at = `-rpath "\$ORIGIN/../../$of/lib:\$ORIGIN/../../../$of/lib:\$ORIGIN/../../../../$of/lib" ` + at
		}
		needs = fmt.Sprintf(`if test -n "$%[1]s"; then
  IFS=:
  for dir in $%[1]s; do
    of=${dir%%/*}
    of=${of##*/}/prefix
    set -- %[2]s "$@"
  done
  unset IFS
fi
`, v.Needs(), at) + v.linkCXX()
	}
	return fmt.Sprintf(`#!/bin/sh
# %[1]s of %[2]s: made by xbuild
tool=${0%%/*}/../../%[3]s/programs/%[1]s
if test ! -x "$tool"; then
  self=$(readlink -f "$0")
  tool=${self%%/*}/../../%[3]s/programs/%[1]s
fi
%[6]s%[7]stest -z "$%[4]s" || %[5]s
exec "$tool" "$@"
`, program, v.Platform.Name, v.Compiler.Key, unstripped.Variable, keep, unheeded, needs)
}
