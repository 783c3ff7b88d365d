package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// assembler is the content of the program as, which takes what GNU as takes (its manual, "Command-Line Options") and
// lets clang assemble it. What clang's assembler does not have is an error of clang's.
func (v View) assembler() string {
	return fmt.Sprintf(`#!/bin/sh
# as of %[1]s: made by xbuild
out=a.out in=
n=$#
while test "$n" -gt 0; do
  arg=$1
  shift
  n=$((n - 1))
  case $arg in
  -o) out=$1; shift; n=$((n - 1)) ;;
  -o*) out=${arg#-o} ;;
  -I) set -- "$@" "-Wa,-I,$1"; shift; n=$((n - 1)) ;;
  --defsym) set -- "$@" "-Wa,--defsym,$1"; shift; n=$((n - 1)) ;;
  --defsym=*) set -- "$@" "-Wa,--defsym,${arg#--defsym=}" ;;
  --32) set -- "$@" -m32 ;;
  --64) set -- "$@" -m64 ;;
  --x32) set -- "$@" -mx32 ;;
  -march=* | -mcpu=* | -mtune=* | -mfpu=* | -mfloat-abi=* | -mabi=* | -mthumb | -marm | -m32 | -m64 | --version | -v) set -- "$@" "$arg" ;;
  -W) set -- "$@" -Wa,--no-warn ;;
  -D | -f | -J | -X | -KPIC | -k | --traditional-format | --reduce-memory-overheads | --generate-missing-build-notes=*) ;; # nothing to do, as GNU as itself has it, or as clang always does
  -- | -) in=1; set -- "$@" - ;;
  -*) set -- "$@" "-Wa,$arg" ;;
  *) in=1; set -- "$@" "$arg" ;;
  esac
done
case " $* " in *" --version "*) ;; *) test "$in" || set -- "$@" - ;; esac
self=$0
test ! -L "$self" || self=$(readlink -f "$self")
exec "${self%%/*}/%[2]s-clang" -c -x assembler -Wno-unused-command-line-argument -o "$out" "$@"
`, v.Platform.Name, v.Platform.Triplet)
}

// plain is the content of a program without the triplet in its name, where the program behind it reads from the name
// that it is called by for which machine it works.
func (v View) plain(name string) string {
	return fmt.Sprintf("#!/bin/sh\nexec \"${0%%/*}/%s-%s\" \"$@\"\n", v.Platform.Triplet, name)
}

// writeAbsent makes a directory of programs that say why they are not here, but for those that are: windres of a
// windows platform.
func (v View) writeAbsent(bin, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for i, a := range v.Compiler.absent {
		script := fmt.Sprintf(".%d", i)
		text := fmt.Sprintf(`#!/bin/sh
printf 'xbuild: %%s is not among the tools of %s: ' "${0##*/}" >&2
cat >&2 <<'.'
%s
.
exit 1
`, v.Platform.Name, a.Why)
		if err := os.WriteFile(filepath.Join(dir, script), []byte(text), 0o755); err != nil {
			return err
		}
		for _, name := range a.Names() {
			for _, n := range []string{name, v.Platform.Triplet + "-" + name} {
				if _, err := os.Lstat(filepath.Join(bin, n)); err == nil {
					continue
				}
				if err := os.Symlink(script, filepath.Join(dir, n)); err != nil && !errors.Is(err, fs.ErrExist) {
					return err
				}
			}
		}
	}
	return nil
}
