package e2e

// configured are the files of a program with a configure.ac.
func configured(body string) map[string]string {
	return map[string]string{"main.c": empty, "Makefile.in": "CC = @CC@\napp: main.c\n\t$(CC) -o app main.c @LIBS@\n",
		"configure.ac": "AC_INIT([app], [1])\nAC_PROG_CC\n" + body + "AC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n"}
}

const autotools = "recipe = \"autotools\"\ntools = [\"autoconf\"]\noutputs = [\"app\"]\n"

// hintsOfAutotools: what configure scripts say.
var hintsOfAutotools = []hintCase{
	{name: "a test that is run", row: `recipe autotools: cannot run test program`, platform: "linux/arm64", target: autotools, full: true,
		files: configured("AC_CACHE_CHECK([for luck], [ac_cv_luck], [AC_RUN_IFELSE([AC_LANG_PROGRAM([], [])], [ac_cv_luck=yes], [ac_cv_luck=no])])\n"),
		hint:  "configure wants to run a program of linux/arm64",
		mend:  "options = [\"ac_cv_luck=yes\"]\n"},
	{name: "a flag that is wrong", row: `recipe autotools: C(?:\+\+)? compiler`, platform: "linux/arm64", target: autotools + "env = { CFLAGS = \"-fnothing\" }\n", full: true,
		files: configured(""),
		hint:  "a flag of xbuild.toml:3: [target.app] or of its platform is wrong",
		old:   "env = { CFLAGS = \"-fnothing\" }\n"},
	{name: "an option that is wrong", row: `recipe autotools: unrecognized`, platform: "linux/arm64", target: autotools + "options = [\"--nothing\"]\n", full: true,
		files: configured(""),
		hint:  "configure has no --nothing: options of xbuild.toml:3: [target.app] names it",
		old:   "options = [\"--nothing\"]\n"},
	// As gnulib's m4.m4, AC_PROG_GNU_M4, of Bison and Autoconf writes it.
	{name: "configure wants m4", row: `recipe autotools: No usable`, platform: "linux/arm64", target: "recipe = \"autotools\"\noutputs = [\"app\"]\n", full: true,
		files: map[string]string{"main.c": empty, "Makefile": "app: main.c\n\t$(CC) -o app main.c\n",
			"configure": "echo >config.status\nm4 --version && exit\necho 'configure: error: No usable m4 in $PATH or /usr/5bin (see config.log for reasons).' >&2\nrm config.status\nexit 1\n"},
		hint: "configure wants a program of the host, m4: xbuild.toml:3: write tools = [\"m4\"] in [target.app]",
		mend: "tools = [\"m4\"]\n"},
	{name: "configure wants yacc", row: `recipe autotools: (?:yacc|bison)`, platform: "linux/arm64", target: autotools, full: true,
		files: configured("AC_CHECK_PROGS([YACC], ['bison -y' byacc yacc])\nAS_IF([test -z \"$YACC\"], [AC_MSG_ERROR([yacc is required])])\n"),
		hint:  "write tools = [\"bison\"] in xbuild.toml:3: [target.app]",
		old:   "\"autoconf\"",
		mend:  "\"autoconf\", \"bison\""},
	{name: "configure wants flex", row: `recipe autotools: (flex|lex`, platform: "linux/arm64", target: autotools, full: true,
		files: configured("AC_CHECK_PROGS([FLEX], [flex])\nAS_IF([test -z \"$FLEX\"], [AC_MSG_ERROR([flex not found])])\n"),
		hint:  "configure wants a program of the host, flex: xbuild.toml:3: write tools = [\"flex\"] in [target.app]",
		old:   "\"autoconf\"",
		mend:  "\"autoconf\", \"flex\""},
	{name: "configure wants a library", row: `recipe autotools: OpenSSL|openssl`, platform: "linux/arm64", target: autotools,
		files: configured("AC_CHECK_LIB([expat], [XML_ParserFree], [], [AC_MSG_ERROR([could not find libexpat])])\n"),
		hint:  "configure finds no libexpat for linux/arm64: if it is a library, add \"libexpat1-dev\" to packages in a [sysroot] table in xbuild.toml",
		mend:  "[sysroot]\npackages = [\"libexpat1-dev\"]\n"},
	{name: "configure wants a library that is listed", row: `recipe autotools: OpenSSL|openssl`, listed: true, platform: "linux/arm64", full: true,
		target: autotools + "[sysroot]\npackages = [\"libexpat1-dev\"]\n",
		files:  configured("AC_CHECK_LIB([expat], [XML_Nothing], [], [AC_MSG_ERROR([could not find libexpat])])\n"),
		hint:   "config.log in the build directory says what its test wanted of it",
		mended: map[string]string{"configure.ac": configured("AC_CHECK_LIB([expat], [XML_ParserFree], [], [AC_MSG_ERROR([could not find libexpat])])\n")["configure.ac"]}},
	{name: "no configure.ac", row: `recipe autotools: 'configure.ac' is required`, platform: "linux/arm64", target: autotools, full: true,
		files: map[string]string{"src/main.c": empty, "src/Makefile.in": configured("")["Makefile.in"], "src/configure.ac": configured("")["configure.ac"]},
		hint:  "there is neither a configure script nor a configure.ac in source of xbuild.toml:3: [target.app]",
		mend:  "source = \"src\"\n"},
	{name: "no configure", row: `recipe autotools: program "(autoreconf)`, platform: "linux/arm64", target: "recipe = \"autotools\"\noutputs = [\"app\"]\n", full: true,
		files: configured(""),
		hint:  "the source has no configure script, which a release brings and autoreconf makes of configure.ac. xbuild.toml:3: write tools = [\"autoconf\"]",
		mend:  "tools = [\"autoconf\"]\n"},
	// configure is there, and configure.ac is newer, as in a checkout.
	{name: "generated files that are old", row: `recipe autotools: (aclocal|automake`, platform: "linux/arm64", target: "recipe = \"autotools\"\noutputs = [\"app\"]\n", full: true,
		files: automade, before: agedByCheckout,
		hint: "make wants to run aclocal, because generated files of the source are older than what they were made from",
		do:   [][]string{{"exec", "-q", "--", "touch", "aclocal.m4", "configure", "Makefile.in"}}},
	{name: "generated files, made anew", row: `recipe autotools: (aclocal|automake`, platform: "linux/arm64", target: "recipe = \"autotools\"\noutputs = [\"app\"]\n", full: true,
		files: automade, before: agedByCheckout,
		hint: "xbuild.toml:3: write tools = [\"autoconf\"] in [target.app]",
		mend: "tools = [\"autoconf\"]\n"},
	{name: "configure wants Fortran", row: `recipe autotools: Fortran`, platform: "linux/arm64", target: autotools, full: true,
		files:  with(configured(""), "configure.ac", "AC_INIT([app], [1])\nAC_PROG_FC\nAC_PROG_CC\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n"),
		hint:   "xbuild has no Fortran compiler for linux/arm64: take what is written in Fortran from the platform's packages",
		mend:   "[sysroot]\npackages = [\"libopenblas-dev\"]\n",
		mended: lapack},
	{name: "configure wants Fortran 77", row: `recipe autotools: Fortran`, platform: "linux/arm64", target: autotools, full: true,
		files:  with(configured(""), "configure.ac", "AC_INIT([app], [1])\nAC_PROG_F77\nAC_PROG_CC\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n"),
		hint:   "xbuild has no Fortran compiler for linux/arm64: take what is written in Fortran from the platform's packages",
		mend:   "[sysroot]\npackages = [\"libopenblas-dev\"]\n",
		mended: lapack},
}

// lapack links what is written in Fortran from a package.
var lapack = map[string]string{"configure.ac": configured("AC_CHECK_LIB([openblas], [dgesv_], [], [AC_MSG_ERROR([no LAPACK])])\n")["configure.ac"]}

// automade is a program of automake's.
var automade = map[string]string{"main.c": empty, "Makefile.am": "bin_PROGRAMS = app\napp_SOURCES = main.c\n",
	"configure.ac": "AC_INIT([app], [1])\nAM_INIT_AUTOMAKE([foreign])\nAC_PROG_CC\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n"}

var agedByCheckout = [][]string{
	{"exec", "-q", "--", "autoreconf", "--install"},
	{"exec", "-q", "--", "sh", "-ec", "rm -rf autom4te.cache; touch -d 2001-01-01 aclocal.m4 configure Makefile.in"},
}
