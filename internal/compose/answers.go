package compose

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Answers is a directory with programs that a build asks for which machine it builds: uname, arch, getconf, dpkg.
// The host's own know only the host, and a Makefile that asks them compiles the host's branch. Before the host's on
// PATH, these answer for the platform what is about the machine, and hand all else on. The variable XBUILD_UNAME
// says for whom they answer: "platform"; "host"; or "makefile", which is the platform but where what asks is known
// to mean the build machine (CMake, cargo, and by CONFIG_SITE scripts of autoconf). The first question is noted in
// the file $XBUILD_ASKED-platform or $XBUILD_ASKED-host.
func (v View) Answers() string { return filepath.Join(v.Dir, "answers") }

// asked is the head of each of the scripts. Of a script that is found on PATH, $0 is the path.
func (v View) asked(name string) string {
	return fmt.Sprintf(`#!/bin/sh
# %s of %s: made by xbuild
set -f
# host becomes the program of this name that comes next on PATH.
host() {
  IFS=:
  for d in $PATH; do
    if test "$d" != "${0%%/*}" && test -f "$d/${0##*/}" && test -x "$d/${0##*/}"; then exec "$d/${0##*/}" "$@"; fi
  done
  echo "${0##*/}: not found" >&2
  exit 127
}
# platform goes on where the answer is the platform's, and else becomes the host's program.
platform() {
  by=platform
  case $XBUILD_UNAME in
  host) by=host ;;
  makefile)
    if test -r /proc/$PPID/comm; then read -r comm </proc/$PPID/comm; fi
    case $comm in cmake | ccmake | ctest | cpack | meson | cargo | node | build-script*) by=host ;; esac ;;
  esac
  if test -n "$XBUILD_ASKED" && test ! -e "$XBUILD_ASKED-$by"; then echo "${0##*/} $*" >"$XBUILD_ASKED-$by"; fi
  if test $by = host; then host "$@"; fi
}
`, name, v.Platform.Name)
}

// answers are the scripts by their names.
func (v View) answers() map[string]string {
	p := v.Platform
	out := map[string]string{}
	add := func(name, format string, args ...any) { out[name] = v.asked(name) + fmt.Sprintf(format, args...) }
	// GNU's options (uname(1)), in the order in which it prints. What is unknown, and -p and -i are on Debian, -a
	// leaves out. Of Linux, -s and -o are the host's answer too.
	add("uname", `machine=%[1]s kernel=%[2]s system=%[3]s
want=
for a; do
  case $a in
  --all) want=${want}a ;; --kernel-name | --sysname) want=${want}s ;; --nodename) want=${want}n ;; --kernel-release | --release) want=${want}r ;;
  --kernel-version) want=${want}v ;; --machine) want=${want}m ;; --processor) want=${want}p ;; --hardware-platform) want=${want}i ;; --operating-system) want=${want}o ;;
  --*) host "$@" ;;
  -?*) want=$want${a#-} ;;
  *) host "$@" ;;
  esac
done
case ${want:=s} in
*[!asnrvmpio]*) host "$@" ;;
*[ampi]*) ;;
*) if test $kernel = Linux; then host "$@"; fi ;;
esac
platform "$@"
case $want in *a*) want=${want}snrvmo ;; esac
line=
for letter in s n r v m p i o; do
  case $want in *$letter*) ;; *) continue ;; esac
  case $letter in
  s) line="$line $kernel" ;;
  o) line="$line $system" ;;
  m | p | i) line="$line $machine" ;;
  *) line="$line $(host -$letter)" ;;
  esac
done
echo "${line# }"
`, p.Uname, p.Kernel, p.GNU)
	add("arch", `if test $# -gt 0; then host "$@"; fi
platform
echo %s
`, p.Uname)
	// getconf(1) asks for what limits.h and confstr(3) have. Large files need flags where off_t has 32 bits by
	// itself (glibc's posix/confstr.c).
	large := ""
	if p.Bits == 32 {
		large = "-D_LARGEFILE_SOURCE -D_FILE_OFFSET_BITS=64"
	}
	long := map[int][3]string{
		32: {"2147483647", "-2147483648", "4294967295"},
		64: {"9223372036854775807", "-9223372036854775808", "18446744073709551615"},
	}[p.LongBits()]
	add("getconf", `if test $# != 1; then host "$@"; fi
case $1 in
LONG_BIT) answer=%[1]d ;;
LONG_MAX) answer=%[2]s ;;
LONG_MIN) answer=%[3]s ;;
ULONG_MAX) answer=%[4]s ;;
PAGE_SIZE | PAGESIZE) answer=%[5]d ;;
LFS_CFLAGS) answer='%[6]s' ;;
*) host "$@" ;;
esac
platform "$@"
echo "$answer"
`, p.LongBits(), long[0], long[1], long[2], p.Page(), large)
	if p.Debian != "" {
		endian := "little"
		if p.BigEndian() {
			endian = "big"
		}
		cpu, system, _ := strings.Cut(p.GCC, "-")
		add("dpkg", `if test "$*" != --print-architecture; then host "$@"; fi
platform "$@"
echo %s
`, p.Debian)
		add("dpkg-architecture", `case "$# $1" in
"1 -q"?*) name=${1#-q} ;;
"2 -q" | "2 --query") name=$2 ;;
*) name= ;;
esac
platform "$@"
case $name in
DEB_HOST_ARCH | DEB_TARGET_ARCH) echo %[1]s ;;
DEB_HOST_ARCH_OS | DEB_TARGET_ARCH_OS) echo linux ;;
DEB_HOST_ARCH_BITS | DEB_TARGET_ARCH_BITS) echo %[2]d ;;
DEB_HOST_ARCH_ENDIAN | DEB_TARGET_ARCH_ENDIAN) echo %[3]s ;;
DEB_HOST_GNU_CPU | DEB_TARGET_GNU_CPU) echo %[4]s ;;
DEB_HOST_GNU_SYSTEM | DEB_TARGET_GNU_SYSTEM) echo %[5]s ;;
DEB_HOST_GNU_TYPE | DEB_TARGET_GNU_TYPE) echo %[6]s ;;
DEB_HOST_MULTIARCH | DEB_TARGET_MULTIARCH) echo %[7]s ;;
DEB_BUILD_*) host "$@" ;;
*) host -a%[1]s "$@" ;;
esac
`, p.Debian, p.Bits, endian, cpu, system, p.GCC, p.Multiarch)
	}
	// clang says its own name of the machine, and knows the second option not at all.
	for _, name := range []string{"gcc", "g++"} {
		out[name] = fmt.Sprintf(`#!/bin/sh
# %[1]s of %[2]s: made by xbuild
case $* in
-dumpmachine | *\ -dumpmachine) echo %[3]s ;;
-print-multiarch | *\ -print-multiarch) echo %[4]s ;;
*) exec "${0%%/*}/../bin/%[1]s" "$@" ;;
esac
`, name, p.Name, p.GCCTriplet(), p.Multiarch)
		out[p.Triplet+"-"+name] = strings.Replace(out[name], "/../bin/", "/../bin/"+p.Triplet+"-", 1)
	}
	return out
}

// writeAnswers puts the scripts into dir.
func (v View) writeAnswers(dir string) error {
	if v.Host {
		return nil
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, text := range v.answers() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			return err
		}
	}
	return nil
}
