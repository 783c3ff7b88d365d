package e2e

import "testing"

// TestConfigureInside: a Makefile runs a configure script of autoconf that it tells nothing of the platform, and one for a program of the host.
func TestConfigureInside(t *testing.T) {
	needNetwork(t)
	const ac = `AC_INIT([name], [1])
AM_INIT_AUTOMAKE([foreign])
AC_PROG_CC
AC_CANONICAL_HOST
AC_RUN_IFELSE([AC_LANG_PROGRAM([], [return 0;])], [runs=yes], [runs=no], [runs=crossed])
AC_DEFINE_UNQUOTED([HOST], ["$host_cpu, $runs"])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
`
	files := map[string]string{
		"xbuild.toml": `[project]
platforms = ["linux/s390x"]
[target.name]
recipe = "make"
tools = ["autoconf"]
outputs = ["lib/name"]
`,
		"Makefile": `all:
	cd lib && autoreconf -fi && ./configure && $(MAKE)
	cp -r lib own && cd own && rm -f *.o name config.status Makefile && CC='$(CC_FOR_BUILD)' ./configure && $(MAKE) CC='$(CC_FOR_BUILD)' CFLAGS= LDFLAGS= && ./name
`,
		"lib/configure.ac": ac,
		"lib/Makefile.am":  "bin_PROGRAMS = name\nname_SOURCES = name.c\n",
		"lib/name.c":       "#include <stdio.h>\nint main(void) { puts(HOST); }\n",
	}
	dir := write(t, files)
	build(t, dir)
	prints(t, dir, "linux/s390x", built(dir, "linux/s390x", "name"), nil, "s390x, crossed")
}
