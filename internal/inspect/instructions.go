package inspect

import (
	"cmp"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/isa"
	"xbuild/internal/object"
	"xbuild/internal/platform"
)

// AuditOptions are what a project says of the instructions of its binaries.
type AuditOptions struct {
	Dispatched []string // globs of functions that ask the processor themselves
	// directory of the platform's libraries, whose archives tell where a function came from; "" where none is known
	Sysroot string
}

// Audit reads the machine code of the file of a report, and holds it against a baseline: r.Instructions says what it
// found. Files that package isa does not read, of other formats and machines, have no Instructions afterwards.
func (r *Report) Audit(path string, b platform.Baseline, o AuditOptions) error {
	p := b.Platform()
	if r.Kind == DebugOnly || r.Kind == Core || !slices.Contains([]string{ELF, PE, COFF, MachO, Fat, Ar}, r.Format) ||
		r.Arch != "" && r.Arch != p.Arch {
		return nil
	}
	// What another system's programs are made of does not run on the platform, whatever the instructions: a package for
	// Linux may bring an .exe.
	own, format := r.system(), programs(p)
	if format != "" && own != format && slices.Contains([]string{ELF, PE, MachO}, own) {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	found, err := isa.Audit(data, b, isa.Options{Allow: o.Dispatched})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if found.Arch == "" {
		return nil
	}
	if len(found.Unconditional) > 0 && o.Sysroot != "" {
		from := archiveMembers(o.Sysroot)
		for i := range found.Unconditional {
			if f := &found.Unconditional[i]; from[f.Function] != "" {
				f.Object = from[f.Function]
			}
		}
	}
	r.Instructions, r.audited = &found, path
	return nil
}

// held is the file that the instructions are of: this one, or it as it was before it was stripped.
func (r *Report) held() string { return cmp.Or(r.audited, r.Path) }

// archiveMembers are the members of a sysroot's archives by the functions that they define.
func archiveMembers(sysroot string) map[string]string {
	all := map[string]string{}
	for _, glob := range []string{"usr/lib/*/lib*.a", "usr/lib/lib*.a", "usr/lib/gcc/*/*/lib*.a", "lib/*/lib*.a"} {
		files, _ := filepath.Glob(filepath.Join(sysroot, glob)) // the pattern is well-formed
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				continue // it only adds a name
			}
			for symbol, member := range object.ArchiveIndex(data) {
				if all[symbol] == "" {
					all[symbol] = fmt.Sprintf("%s(%s)", filepath.Base(f), member)
				}
			}
		}
	}
	return all
}

// Defines is the path of a library of a sysroot that defines a function, or "" where none does.
func Defines(sysroot, function string) string {
	for _, glob := range []string{"usr/lib/*/lib*.so*", "usr/lib/lib*.so*", "lib/*/lib*.so*", "usr/lib/*/lib*.a",
		"usr/lib/lib*.a"} {
		files, _ := filepath.Glob(filepath.Join(sysroot, glob)) // the pattern is well-formed
		for _, file := range files {
			if defines(file, function) {
				return file
			}
		}
	}
	return ""
}

// defines says of a library that it defines a function. A linker's script, which names others, does not.
func defines(file, function string) bool {
	if strings.HasSuffix(file, ".a") {
		data, err := os.ReadFile(file)
		return err == nil && object.ArchiveIndex(data)[function] != ""
	}
	s, f, err := object.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	e, err := object.OpenELF(s)
	if err != nil || e.ReadSections() != nil {
		return false
	}
	found := false
	err = e.SymbolTable(elf.SHT_DYNSYM, func(s elf.Symbol) {
		found = found || s.Name == function && s.Section != elf.SHN_UNDEF
	})
	return err == nil && found
}

// instructions are what the text of a report says of an audit.
func (r *Report) instructions() []string {
	i := r.Instructions
	if i == nil {
		return nil
	}
	count := func(n int, what string) string {
		if n == 1 {
			return "1 function " + what
		}
		return fmt.Sprintf("%d functions %s", n, what)
	}
	features := func(list []isa.Finding) string {
		var names []string
		for _, f := range list {
			if !slices.Contains(names, f.Feature) {
				names = append(names, f.Feature)
			}
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	functions := func(list []isa.Finding) int {
		n := map[string]bool{}
		for _, f := range list {
			n[fmt.Sprint(f.Function, f.Object, f.Function == "" && f.Address != 0)] = true
		}
		return len(n)
	}
	var out []string
	if len(i.Unconditional) == 0 {
		out = append(out, "nothing beyond the baseline runs unasked")
	} else {
		out = append(out, count(functions(i.Unconditional), "beyond the baseline run unasked")+": "+features(i.Unconditional))
	}
	if len(i.Dispatched) > 0 {
		out = append(out, count(functions(i.Dispatched), "where the program asks the machine first")+": "+
			features(i.Dispatched))
	}
	if len(i.Untold) > 0 {
		out = append(out, count(functions(i.Untold), "of which the file does not tell whether the program asks first")+": "+
			features(i.Untold))
	}
	if len(i.Unused) > 0 {
		out = append(out, count(functions(i.Unused), "that nothing in the file leads to")+": "+features(i.Unused))
	}
	if len(i.Allowed) > 0 {
		out = append(out, count(functions(i.Allowed), "that the project says are dispatched")+": "+features(i.Allowed))
	}
	if i.Unread > 0 {
		out = append(out, fmt.Sprintf("%d %% of its sections of code were not read: without symbols nothing tells whether they are code or data", max(1, 100*i.Unread/(i.Code+i.Unread))))
	}
	return out
}

// shownFindings is how many findings a build prints; xbuild inspect prints all.
const shownFindings = 5

// InstructionFaults are the faults that an audit found: code that runs on every machine, and needs more than the
// platform has.
func InstructionFaults(r *Report, p platform.Platform) []Fault {
	if r.Instructions == nil {
		return nil
	}
	var out []Fault
	if list := r.Instructions.Untold; len(list) > 0 {
		f := untoldRemark(r, p, list)
		f.Stripped = r.Stripped && r.held() == r.Path
		out = append(out, f)
	}
	if i := r.Instructions; 10*i.Unread > i.Code+i.Unread {
		out = append(out, Fault{File: r.Path, Remark: true, Stripped: true,
			Text: fmt.Sprintf("has no symbols, and %d %% of its code could not be told from data and was not read",
				100*i.Unread/(i.Code+i.Unread))})
	}
	list := r.Instructions.Unconditional
	if len(list) == 0 {
		return out
	}
	for i, f := range list {
		if i == shownFindings && len(list) > shownFindings+1 {
			out = append(out, Fault{File: r.Path,
				Text: fmt.Sprintf("has %d findings more like that: xbuild inspect -p %s %s prints all", len(list)-i,
					p.Name, r.held())})
			break
		}
		out = append(out, Fault{File: r.Path, Text: describe(f, p)})
	}
	return append(out, Fault{File: r.Path,
		Text: fmt.Sprintf("would end with an illegal instruction on a machine that has just what %s promises: compile that code without the flag that allows it (-march, -mcpu, a target attribute), "+
			"promise more (features = [%q] under [platform.%q], or a variant of the platform), or, where it, or who calls what it exports, asks the processor first in a way that the audit does not see, write dispatched = [%s] in the target", p.Name, list[0].Feature, p.Name, functions(list))})
}

// untoldRemark is the remark on findings of which a file does not tell whether the program asks first.
func untoldRemark(r *Report, p platform.Platform, list []isa.Finding) Fault {
	f, more := list[0], ""
	if len(list) > 1 {
		more = fmt.Sprintf(", and %d findings more like that", len(list)-1)
	}
	return Fault{File: r.Path, Remark: true,
		Text: fmt.Sprintf("has %s (%s) at %#x%s, which needs %s and %s has not%s, and it cannot be told whether the program asks the machine first: %s",
			f.Instruction, f.Bytes, f.Address, prefixed(" in ", f.Function), f.Feature, p.Name, more, f.Why)}
}

// functions are the quoted names of findings' functions, each once, as far as the findings are shown: all at once, so
// that nobody builds once for each.
func functions(list []isa.Finding) string {
	var names []string
	for _, f := range list[:min(len(list), shownFindings+1)] {
		if name := fmt.Sprintf("%q", orName(f.Function)); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func orName(name string) string {
	if name == "" {
		return "name of the function"
	}
	return name
}

func describe(f isa.Finding, p platform.Platform) string {
	var b strings.Builder
	where := "on every machine"
	if f.Exported {
		where = "for whoever calls a function that it exports"
	}
	fmt.Fprintf(&b, "runs %s (%s) %s, which needs %s and %s has not", f.Instruction, f.Bytes, where, f.Feature, p.Name)
	if f.Function != "" {
		fmt.Fprintf(&b, ": in %s", f.Function)
	} else {
		b.WriteString(": in a function without a name")
	}
	fmt.Fprintf(&b, " at %#x", f.Address)
	if f.Object != "" {
		fmt.Fprintf(&b, ", from %s", f.Object)
	}
	if f.Count > 1 {
		fmt.Fprintf(&b, ", and %d times more in it", f.Count-1)
	}
	return b.String()
}
