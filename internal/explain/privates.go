package explain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/lazyregexp"
)

// A privateNeed is a static library, or a .pc file, that others ask for when they are linked statically (pkg-config(1),
// "Requires.private" and "Libs.private") and that a sysroot lacks.
type privateNeed struct {
	Name string   // as pkg-config or the linker asks for it: libzstd, zstd
	By   []string // the .pc files that ask
}

// A pcFile is what a .pc file says.
type pcFile struct {
	fields   map[string]string
	requires []string // names of others, privately or not
}

var (
	pcVariable = lazyregexp.New(`\$\{[A-Za-z0-9_.]+\}`)
	pcWord     = lazyregexp.New(`[,\s]+`)
)

// privateNeeds are what the .pc files of a sysroot ask for privately and it lacks, in their order.
func privateNeeds(sysroot string) ([]privateNeed, map[string]pcFile) {
	root := os.DirFS(sysroot)
	var pcs, libs []string
	for _, dir := range []string{"usr/lib", "usr/lib/*-*", "usr/share"} {
		found, _ := fs.Glob(root, dir+"/pkgconfig/*.pc") // of no bad pattern
		pcs = append(pcs, found...)
	}
	for _, dir := range []string{"lib", "lib/*-*", "usr/lib", "usr/lib/*-*", "usr/lib/gcc/*/*"} {
		found, _ := fs.Glob(root, dir+"/lib*.a")
		libs = append(libs, found...)
	}
	have := map[string]bool{}
	for _, pc := range pcs {
		have[strings.TrimSuffix(path.Base(pc), ".pc")] = true
	}
	// Of threads, dlopen and clocks glibc and musl keep empty archives; libgcc_s is the shared half of what libgcc_eh
	// has.
	archived := map[string]bool{"gcc_s": true}
	for _, lib := range libs {
		archived[strings.TrimSuffix(strings.TrimPrefix(path.Base(lib), "lib"), ".a")] = true
	}
	var out []privateNeed
	files := map[string]pcFile{}
	lacks := func(name, by string) {
		i := slices.IndexFunc(out, func(n privateNeed) bool { return n.Name == name })
		if i < 0 {
			i = len(out)
			out = append(out, privateNeed{Name: name})
		}
		if !slices.Contains(out[i].By, by) {
			out[i].By = append(out[i].By, by)
		}
	}
	for _, pc := range pcs {
		fields, err := readPC(filepath.Join(sysroot, pc))
		if err != nil {
			continue // pkg-config says it better
		}
		private := required(fields["Requires.private"])
		files[strings.TrimSuffix(path.Base(pc), ".pc")] = pcFile{fields, append(required(fields["Requires"]), private...)}
		for _, w := range private {
			if !have[w] {
				lacks(w, path.Base(pc))
			}
		}
		for w := range strings.FieldsSeq(fields["Libs.private"]) {
			if name, ok := strings.CutPrefix(w, "-l"); ok && !archived[name] {
				lacks(name, path.Base(pc))
			}
		}
	}
	return out, files
}

// required are the names in a list of requirements: a comparison and its version may stand behind each.
func required(list string) []string {
	var out []string
	words := pcWord.Split(list, -1)
	for i, w := range words {
		if w == "" || strings.ContainsAny(w[:1], "<>=!") ||
			i > 0 && words[i-1] != "" && strings.ContainsAny(words[i-1][:1], "<>=!") {
			continue
		}
		out = append(out, w)
	}
	return out
}

// Unlinkable says what the .pc files lack that a target names which links statically, before anything is compiled;
// empty where that is nothing, or where it names none.
func Unlinkable(a *action.Action) string {
	if !a.Static || a.Sysroot == "" || len(a.PkgConfig) == 0 {
		return ""
	}
	all, files := privateNeeds(a.Sysroot)
	reached := map[string]bool{}
	var reach func(name string)
	reach = func(name string) {
		if !reached[name] {
			reached[name] = true
			for _, next := range files[name].requires {
				reach(next)
			}
		}
	}
	for _, name := range a.PkgConfig {
		reach(name)
	}
	return lacking(a, slices.DeleteFunc(all, func(n privateNeed) bool {
		return !slices.ContainsFunc(n.By, func(pc string) bool { return reached[strings.TrimSuffix(pc, ".pc")] })
	}))
}

// readPC returns the fields of a .pc file with its variables filled in.
func readPC(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	vars, fields := map[string]string{}, map[string]string{}
	fill := func(s string) string {
		return pcVariable.ReplaceAllStringFunc(s, func(v string) string { return vars[v[2:len(v)-1]] })
	}
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", "")) {
		line = strings.TrimSpace(line)
		if i := strings.IndexAny(line, "=:"); i > 0 && !strings.HasPrefix(line, "#") {
			if name, value := strings.TrimSpace(line[:i]), fill(strings.TrimSpace(line[i+1:])); line[i] == '=' {
				vars[name] = value
			} else {
				fields[name] = value
			}
		}
	}
	if len(fields) == 0 {
		return nil, errors.New("no .pc file")
	}
	return fields, nil
}

// Privates says of an action that links statically all that the .pc files of its sysroot ask for privately and the
// sysroot lacks; empty where that is nothing. Of a log, it says what those ask for that ask for something which the log
// misses: one missing library is told after another by the linker.
func Privates(a *action.Action, log string) string {
	if !a.Static || a.Sysroot == "" || len(a.Explain) == 0 {
		return ""
	}
	all, _ := privateNeeds(a.Sysroot)
	if log != "" {
		missed := func(n privateNeed) bool {
			return regexp.MustCompile(`unable to find library -l` + regexp.QuoteMeta(n.Name) + `\b|Package '?` +
				regexp.QuoteMeta(n.Name) + `'?,[^\n]*not found`).MatchString(log)
		}
		var by []string
		for _, n := range all {
			if missed(n) {
				by = append(by, n.By...)
			}
		}
		all = slices.DeleteFunc(all, func(n privateNeed) bool {
			return !slices.ContainsFunc(n.By, func(pc string) bool { return slices.Contains(by, pc) })
		})
	}
	return lacking(a, all)
}

func lacking(a *action.Action, all []privateNeed) string {
	if len(all) == 0 {
		return ""
	}
	words := a.Explain[0].Words
	var what, packages []string
	for _, n := range all {
		what = append(what, fmt.Sprintf("%s (%s)", n.Name, strings.Join(n.By, ", ")))
		if p := words("package " + n.Name); !slices.Contains(packages, p) {
			packages = append(packages, p)
		}
	}
	return fmt.Sprintf("linked statically, the libraries of %s ask for more than the sysroot of %s has: %s. For all of it, add to packages in %s: %s",
		a.OCI, a.OCI, strings.Join(what, ", "), words("sysroot"), strings.Join(packages, ", "))
}
