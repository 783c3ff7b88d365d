package platform

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed macros.toml
var macrosTOML string

// A MacroRow is a table of macros.toml: a difference between clang's predefined macros and those of Debian's GCC, and
// what is done about it.
type MacroRow struct {
	Kind   string   `json:"kind"` // undefine, define, flags, leave
	ID     string   `json:"id"`
	On     []string `json:"on"`    // platforms, their variants with them; "linux/*" for all
	Names  []string `json:"names"` // of define name=value, of leave regular expressions for a whole name
	Flags  []string `json:"flags,omitempty"`
	Only   string   `json:"only,omitempty"` // of leave: who defines it, "clang" or "gcc"; "value" where both do
	Lang   string   `json:"lang,omitempty"`
	When   []string `json:"when,omitempty"`
	Unless []string `json:"unless,omitempty"`
	Why    string   `json:"why"`
}

// Concerns says whether the row is about p.
func (r MacroRow) Concerns(p Platform) bool {
	return p.OS == "linux" && p.HasSysroot() && slices.ContainsFunc(r.On, func(name string) bool {
		return name == "linux/*" || name == p.Name || name == p.base
	})
}

// args are the arguments for clang that the row stands for. What is defined is undefined first: another release of
// clang may have it, and warns of another value.
func (r MacroRow) args() []string {
	flags := slices.Clone(r.Flags)
	for _, n := range r.Names {
		name, _, _ := strings.Cut(n, "=")
		switch r.Kind {
		case "undefine":
			flags = append(flags, "-U"+name)
		case "define":
			flags = append(flags, "-U"+name, "-D"+n)
		}
	}
	return flags
}

var macroRows = sync.OnceValue(func() []MacroRow {
	rows, err := loadMacros(macrosTOML)
	if err != nil {
		panic("macros.toml: " + err.Error()) // embedded, and a test loads and checks it
	}
	return rows
})

func loadMacros(data string) ([]MacroRow, error) {
	var rows []MacroRow
	err := sections(data, func(s section) error {
		var r MacroRow
		r.Kind, r.ID, _ = strings.Cut(s.name, ".")
		if !slices.Contains([]string{"undefine", "define", "flags", "leave"}, r.Kind) {
			return fmt.Errorf("line %d: no table is called [%s]", s.Line, s.name)
		}
		err := s.bind(map[string]any{"on": &r.On, "names": &r.Names, "flags": &r.Flags, "only": &r.Only, "lang": &r.Lang,
			"when": &r.When, "unless": &r.Unless, "why": &r.Why})
		rows = append(rows, r)
		return err
	})
	return rows, err
}

// Macros is the table of the differences between clang's predefined macros and GCC's, in the file's order.
func Macros() []MacroRow { return slices.Clone(macroRows()) }

// Macros are clang's flags that make its predefined macros say of the machine what Debian's GCC says, for its
// configuration file. A platform that no GCC of
// Debian's compiles for, and Windows, have none.
func (b Baseline) Macros() []string {
	var flags []string
	for _, r := range macroRows() {
		if r.Concerns(b.platform) && r.applies(b) {
			flags = append(flags, r.args()...)
		}
	}
	return flags
}

// applies says whether the row's conditions hold for a baseline.
func (r MacroRow) applies(b Baseline) bool {
	has := func(word string) bool { return b.set[word] || word == "cpu" && b.cpu != "" }
	return !slices.ContainsFunc(r.Unless, has) && (len(r.When) == 0 || slices.ContainsFunc(r.When, has))
}
