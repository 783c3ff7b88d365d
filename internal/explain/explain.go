// Package explain says what a failed command's output means for the project that it builds, and what can be done. It
// reads the project's build files and the sysroot's .pc files, for hints alone.
package explain

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"xbuild/internal/action"
	"xbuild/internal/lazyregexp"
)

var (
	compiled    sync.Map // of expressions, which are the catalog's
	placeholder = lazyregexp.New(`\{[a-z0-9]+\}`)
)

func expression(text string) *regexp.Regexp {
	re, ok := compiled.Load(text)
	if !ok {
		re, _ = compiled.LoadOrStore(text, regexp.MustCompile("(?m)"+text)) // a test of package catalog compiles every one
	}
	return re.(*regexp.Regexp)
}

// Hint returns what the user can do, empty where the log holds no such message.
func Hint(e action.Explanation, log string) string {
	found := expression(e.Match).FindAllStringSubmatch(log, -1)
	if e.Cgo != nil {
		want := map[bool]string{true: "left out", false: "none"}[*e.Cgo]
		found = slices.DeleteFunc(found, func(groups []string) bool {
			file, _, _ := strings.Cut(groups[0], ":")
			return e.Words("cgo "+file) != want
		})
	}
	if len(found) == 0 || e.Unless != "" && expression(e.Unless).MatchString(log) {
		return ""
	}
	where := ""
	if e.Find != "" {
		find := expression(e.Find)
		places := placesOf(find, e.Source)
		if len(places) == 0 && !find.MatchString(log) {
			return ""
		}
		if where = strings.Join(places, ", "); where == "" {
			where = "a file that the build makes"
		}
	}
	groups := found[0]
	if e.Last {
		groups = found[len(found)-1]
	}
	// Of alternatives one has matched.
	groups = append(groups[:1], slices.DeleteFunc(groups[1:], func(g string) bool { return g == "" })...)
	if e.Standard && len(groups) > 1 {
		if hint := e.Words("standard " + strings.Join(groups[1:], " ")); hint != "" {
			return hint
		}
		if e.Explain.Hint == "" {
			return ""
		}
	}
	text := e.Explain.Hint
	if len(groups) > 1 && e.Listed != "" && e.Words("listed "+groups[1]) != "" {
		text = e.Listed
	}
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		name := strings.Trim(p, "{}")
		if n, err := strconv.Atoi(name); err == nil && n < len(groups) {
			return groups[n]
		}
		if name == "where" {
			return where
		}
		if name == "package" && len(groups) > 1 {
			return e.Words("package " + groups[1])
		}
		if name == "bring" && len(groups) > 1 {
			return e.Words("bring " + groups[1])
		}
		return e.Words(name)
	})
}

// Hints are what an action's log calls for, each once.
func Hints(a *action.Action, log string) []string {
	var out []string
	if p := Privates(a, log); p != "" && log != "" {
		out = append(out, p)
	}
	for _, e := range a.Explain {
		if h := Hint(e, log); h != "" && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// Refused returns the hint of a message that makes a command failed which says that it succeeded.
func Refused(a *action.Action, log string) string {
	for _, e := range a.Explain {
		if e.Fail {
			if h := Hint(e, log); h != "" {
				return h
			}
		}
	}
	return ""
}
