package execute

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/action"
)

// madeOf is the file with what an action was made of when it last succeeded: its commands, variables and tools. The
// state has the hash of that alone, which is read in every run.
func madeOf(a *action.Action) string { return filepath.Join(filepath.Dir(a.State), "made-of.json") }

// reasons say why an action is run: st is the state of its last run, nil where nothing is known of one, changed what is
// not any more what it read, declared the digest of what its target's inputs name now.
func reasons(a *action.Action, st *state, changed map[string]bool, declared string, blind bool) []string {
	switch {
	case st == nil:
		if _, err := os.Lstat(filepath.Join(filepath.Dir(a.State), "log")); errors.Is(err, fs.ErrNotExist) {
			return []string{"it was not built here before"}
		}
		return []string{"the last run was ended before it came to its end"}
	case st.At != "" && st.At != at(a):
		return []string{"it was built in another directory, or with another store, which the build directory names"}
	case st.ID == "" && st.Taken != nil:
		return []string{"it was not built here before"}
	case st.ID == "":
		return []string{"the last run succeeded, but not as asked"}
	case st.ID != a.ID:
		var was, is any
		data, err := os.ReadFile(madeOf(a))
		if err != nil || json.Unmarshal(data, &was) != nil || json.Unmarshal(a.MadeOf(), &is) != nil {
			return []string{"its commands, variables or tools are other ones, and what they were is not known"}
		}
		return differences("", was, is)
	}
	var out []string
	if st.Failed {
		out = append(out, "the last run failed")
	}
	for _, path := range slices.Sorted(maps.Keys(changed)) {
		what := "has changed"
		if _, err := os.Lstat(strings.TrimSuffix(path, "/")); errors.Is(err, fs.ErrNotExist) {
			what = "is gone"
		} else if changed[path] {
			what = "is new, or of another kind"
		} else if strings.HasSuffix(path, "/") {
			what = "has other files"
		}
		out = append(out, path+" "+what)
	}
	if st.Inputs != declared {
		out = append(out, "a file that inputs names has changed")
	}
	for name, was := range st.Programs {
		if is := a.Seen[name]; changed[was] && is != "" && real(is) != was {
			out = append(out, fmt.Sprintf("%s is %s on this machine, and was %s", name, real(is), was))
		}
	}
	switch {
	case blind:
		out = append(out, "what its commands read is not looked at")
	case !st.Seen:
		out = append(out, "what its commands read was not seen")
	}
	if len(out) == 0 && st.Taken == nil && !st.outputsThere() {
		out = append(out, "an output in the build directory is gone or was changed")
	}
	return out
}

// differences name what two JSON values do not have in common, by the keys on the way.
func differences(at string, was, is any) []string {
	for _, x := range []*any{&was, &is} { // an empty list may be none
		if *x == nil {
			*x = []any{}
		}
	}
	switch w := was.(type) {
	case map[string]any:
		i, ok := is.(map[string]any)
		if !ok {
			break
		}
		return differentKeys(at, w, i)
	case []any:
		i, ok := is.([]any)
		if !ok {
			break
		}
		if wn, in := byName(w), byName(i); wn != nil && in != nil {
			return differentKeys(at, wn, in)
		}
		return differentWords(at, w, i)
	}
	if fmt.Sprint(was) == fmt.Sprint(is) {
		return nil
	}
	return []string{fmt.Sprintf("%s: %s, and was %s", at, word(is), word(was))}
}

func differentKeys(at string, was, is map[string]any) []string {
	all := maps.Clone(was)
	maps.Copy(all, is)
	var out []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if at == "" && key == "id" {
			continue
		}
		name := strings.TrimPrefix(at+" "+key, " ")
		w, had := was[key]
		i, has := is[key]
		switch {
		case !had:
			out = append(out, fmt.Sprintf("%s: %s, and was not there", name, word(i)))
		case !has:
			out = append(out, fmt.Sprintf("%s: is gone, and was %s", name, word(w)))
		default:
			out = append(out, differences(name, w, i)...)
		}
	}
	return out
}

// byName are the values of a list of variables, or the steps of a list; nil of any other.
func byName(list []any) map[string]any {
	out := map[string]any{}
	for _, x := range list {
		m, _ := x.(map[string]any)
		name, ok := m["name"].(string)
		if !ok || out[name] != nil {
			return nil
		}
		if value, ok := m["value"]; ok {
			out[name] = value
			continue
		}
		rest := maps.Clone(m)
		delete(rest, "name")
		out[name] = rest
	}
	return out
}

// differentWords are those of a list that another has not, as of a command line.
func differentWords(at string, was, is []any) []string {
	var out []string
	lacks := func(list []any, x any) bool {
		return !slices.ContainsFunc(list, func(y any) bool { return word(x) == word(y) })
	}
	for _, x := range is {
		if lacks(was, x) {
			out = append(out, fmt.Sprintf("%s: %s is new", at, word(x)))
		}
	}
	for _, x := range was {
		if lacks(is, x) {
			out = append(out, fmt.Sprintf("%s: %s is gone", at, word(x)))
		}
	}
	if len(out) == 0 && word(was) != word(is) {
		out = append(out, at+": the same in another order")
	}
	return out
}

// word is a value as the user reads it.
func word(x any) string {
	if s, ok := x.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	data, err := json.Marshal(x)
	if err != nil {
		return fmt.Sprint(x)
	}
	return string(data)
}
