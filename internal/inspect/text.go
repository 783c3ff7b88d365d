package inspect

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Text writes the report for people. JSON has all that is left out here: the names of symbols above all.
func (r *Report) Text(w io.Writer) error {
	fmt.Fprintf(w, "%s\n", r.Path)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "  %s\t%s\n", name, value)
		}
	}
	for _, f := range r.facts() {
		row(f.name, strings.Join(f.shown, ", "))
	}
	for _, m := range r.outliers() {
		row("member", m)
	}
	for i, line := range r.instructions() {
		if i == 0 {
			row("instructions", line)
		} else {
			row("", line)
		}
	}
	for i, f := range r.Faults {
		name := ""
		if i == 0 {
			name = "faults"
		}
		word := "fault: "
		if f.Remark {
			word = "remark: "
		}
		fmt.Fprintf(t, "  %s\t%s%s\n", name, word, f.Text)
	}
	return t.Flush()
}

// A fact is a line of the report: what it is about, its values, and how they are shown where that is shorter.
type fact struct {
	name   string
	values []string
	shown  []string
	set    bool // the values have no order, and each counts by itself
}

// facts are the report as lines, in the order of printing.
func (r *Report) facts() []fact {
	var out []fact
	add := func(name string, set bool, values, shown []string) {
		if len(values) > 0 {
			out = append(out, fact{name, values, shown, set})
		}
	}
	one := func(name string, parts ...string) {
		var kept []string
		for _, p := range parts {
			if p != "" {
				kept = append(kept, p)
			}
		}
		add(name, false, kept, kept)
	}
	bits := ""
	if r.Bits > 0 {
		bits = fmt.Sprintf("%s %d-bit %s-endian", r.Format, r.Bits, r.Endian)
	} else {
		bits = r.Format
	}
	one("format", bits, r.Machine)
	system := r.OS
	if strings.HasPrefix(r.Platform, r.OS+"/") {
		system = ""
	}
	one("for", r.Platform, system, prefixed("since ", r.MinOS))
	pie := ""
	if r.PIE {
		pie = "PIE"
	}
	if n := len(r.Members); n > 0 || r.Kind == Archive {
		one("kind", r.Kind, cmp.Or(count(n, "member"), "no members"))
	} else {
		one("kind", r.Kind, r.Link, pie)
	}
	one("abi", r.ABI, prefixed("float ", r.FloatABI))
	one("built for", r.ISA)
	one("loader", r.Interp)
	one("pages", pages(r.Pages))
	one("soname", r.SOName)
	add("needs", true, r.Needed, r.Needed)
	add("rpath", true, r.RPath, r.RPath)
	add("runpath", true, r.RunPath, r.RunPath)
	for _, f := range r.Floors {
		shown := f.Symbols
		if len(shown) > 5 {
			shown = append(append([]string{}, shown[:5]...), fmt.Sprintf("and %d more", len(f.Symbols)-5))
		}
		one("needs "+f.Family, fmt.Sprintf("%s for %s", f.Version, strings.Join(shown, ", ")))
	}
	switch {
	case r.OS != "linux" || r.Kind != Executable && r.Kind != Shared:
	case r.Link == Static || r.Link == StaticPIE:
		one("runs on", "any Linux of its platform: it needs no library")
	case len(r.RunsOn) > 0:
		add("runs on", true, r.RunsOn, []string{ranges(r.RunsOn)})
	case r.Libc != "":
		one("runs on", "no release that xbuild knows")
	}
	if r.Libc == "musl" && r.Link != Static {
		one("libc", "musl, whose symbols have no versions: which release is too old is not in the file")
	}
	add("exports", true, names(r.Exported), []string{count(len(r.Exported), "symbol")})
	add("wants", true, names(r.Undefined), []string{count(len(r.Undefined), "symbol")})
	switch r.Format {
	case ELF, PE, COFF, MachO:
		one("debug info", yes(r.Debug))
		if r.Kind == Executable || r.Kind == Shared {
			one("stripped", yes(r.Stripped))
		}
	}
	one("build id", r.BuildID)
	add("compilers", true, r.Compilers, r.Compilers)
	if g := r.Go; g != nil {
		one("go", g.Version, g.Path, g.Module, count(len(g.Deps), "dependency"))
	}
	if r.Hardening != nil {
		var list []string
		for _, h := range r.Hardening.rows() {
			list = append(list, h[0]+" "+h[1])
		}
		add("hardening", true, list, list)
	}
	return out
}

// pages says for which pages segments are aligned, in the unit that kernels' configurations have.
func pages(align uint64) string {
	switch {
	case align == 0:
		return ""
	case align < 1<<10:
		return "none: segments are aligned to " + count(int(align), "byte")
	}
	return fmt.Sprintf("up to %d KB", align>>10)
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func count(n int, what string) string {
	switch {
	case n == 0:
		return ""
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(what, "y"))
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func names(list []Symbol) []string {
	var out []string
	for _, s := range list {
		if s.Version != "" {
			out = append(out, s.Name+"@"+s.Version)
		} else {
			out = append(out, s.Name)
		}
	}
	return out
}

// ranges shortens a list of releases: "Debian 11, Debian 12" is "Debian 11 12".
func ranges(list []string) string {
	var out []string
	last := ""
	for _, name := range list {
		distribution, version, _ := strings.Cut(name, " ")
		if distribution == last {
			out[len(out)-1] += " " + version
			continue
		}
		last = distribution
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

// outliers are the members of an archive that are not what the others are, or all of them where there are few.
func (r *Report) outliers() []string {
	var out []string
	for _, m := range r.Members {
		what := strings.TrimSpace(fmt.Sprintf("%s %s", m.Format, m.Machine))
		if m.Format == "" {
			what = "no object"
		}
		same := m.Machine == r.Machine && m.Machine != ""
		if same && len(r.Members) > 8 {
			continue
		}
		if len(out) == 20 {
			return append(out, "…")
		}
		out = append(out, fmt.Sprintf("%s: %s", m.Path, what))
	}
	return out
}
