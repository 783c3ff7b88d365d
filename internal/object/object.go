// Package object reads ELF, PE and Mach-O files and ar archives: their headers, tables, symbols and notes, for the
// packages that say what is in them. It also edits the loader and the library path of ELF programs. It knows formats
// alone: what a platform is, and whether a file runs there, is for others.
//
// Files are taken for hostile. Every table is read by its bounds, all that is read of a file is at most a few times its
// size, and nothing is allocated because a file says so. That is why the readers here are the package's own: debug/elf,
// debug/pe and debug/macho copy the name of each section or symbol, and where all have one long name, a file of 1 MB
// with 200 of them takes 200 MB (measured with Go 1.26), one of 12 MB with 60,000 more than any machine has. Only their
// constants and types are used, here and elsewhere.
package object

import (
	"errors"
	"fmt"
)

// ErrFormat says that a file is no binary that this package reads: a script, a text, data.
var ErrFormat = errors.New("neither ELF, PE, Mach-O nor an ar archive")

// ErrDamaged says that a file contradicts itself or ends too early.
var ErrDamaged = errors.New("damaged file")

// Damaged is an ErrDamaged with what is wrong.
func Damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}
