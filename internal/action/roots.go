package action

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/compose"
)

// A Root is a directory by a name that it has on every machine, in every checkout.
type Root struct {
	Name string // in braces
	Dir  string // absolute
}

// Roots are the places that an action's paths are told by, so that it is the same action wherever they lie.
type Roots []Root

// The names of roots.
const (
	RootProject = "{project}"
	RootBuild   = "{build}"
	RootDist    = "{dist}"
	RootStore   = "{store}"
	RootSource  = "{source}" // of a target whose source lies outside of the project
	RootHome    = "{home}"
)

// rootTree begins the names of trees in the store.
const rootTree = "{tree:"

// Trees are the roots of trees that have another name in every store.
func Trees(set compose.Set) []Root {
	var out []Root
	names := set.Names()
	for _, dir := range slices.Sorted(maps.Keys(names)) {
		out = append(out, Root{rootTree + names[dir] + "}", dir})
	}
	return out
}

// Places are the roots but for trees, which lie in the store.
func (rs Roots) Places() Roots {
	return slices.DeleteFunc(slices.Clone(rs), func(r Root) bool { return strings.HasPrefix(r.Name, rootTree) })
}

// NewRoots are roots without those that are no directory of their own: "" and "/". Where two are the same directory,
// the first counts.
func NewRoots(list ...Root) Roots {
	var out Roots
	for _, r := range list {
		r.Dir = filepath.Clean(r.Dir)
		same := func(o Root) bool { return o.Dir == r.Dir }
		if filepath.IsAbs(r.Dir) && r.Dir != "/" && !slices.ContainsFunc(out, same) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b Root) int { return len(b.Dir) - len(a.Dir) })
	return out
}

// Spell tells a path by the root that it lies in; below is false for one that lies in none.
func (rs Roots) Spell(path string) (spelled string, below bool) {
	for _, r := range rs {
		if rest, ok := strings.CutPrefix(path, r.Dir); ok && (rest == "" || rest[0] == '/') {
			return r.Name + rest, true
		}
	}
	return path, false
}

// Resolve is the path that was told by its root; ok is false where that root is none of these.
func (rs Roots) Resolve(spelled string) (path string, ok bool) {
	if !strings.HasPrefix(spelled, "{") {
		return spelled, true
	}
	for _, r := range rs {
		if rest, ok := strings.CutPrefix(spelled, r.Name); ok {
			return r.Dir + rest, true
		}
	}
	return "", false
}

// SpellAll tells all paths in a text by their roots. A path begins where a word does, or behind an option that it is
// glued to (-I/src), or where another one goes up to the root directory ("/x/../src"); how far that is, is not told.
func (rs Roots) SpellAll(text string) string {
	if len(rs) == 0 {
		return text
	}
	var b strings.Builder
	done, word := 0, 0 // what is written of text; where the word begins, -1 in a path
	start := 0         // of the path
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '/' && (word >= 0 && (i == word || text[word] == '-') || strings.HasSuffix(text[:i], "/..")):
			if word >= 0 {
				start = i
			}
			word = -1 // the rest of the word is this path
			for _, r := range rs {
				if strings.HasPrefix(text[i:], r.Dir) && endsAt(text[i+len(r.Dir):]) {
					before := text[done:i]
					for filepath.Clean(text[start:i]) == "/" && strings.HasSuffix(before, "/../..") {
						before = strings.TrimSuffix(before, "/..")
					}
					b.WriteString(before)
					b.WriteString(r.Name)
					done = i + len(r.Dir)
					i = done - 1
					break
				}
			}
		case c == '/':
			word = -1 // a relative path
		case strings.IndexByte(" \t\n\r\"'=:,;|&<>()[]{}@\\", c) >= 0:
			word = i + 1
		}
	}
	b.WriteString(text[done:])
	return b.String()
}

// endsAt tells whether a directory's name ends before the rest of a text.
func endsAt(rest string) bool {
	if rest == "" {
		return true
	}
	c := rest[0]
	return c == '/' || !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 ||
		strings.IndexByte("._-+~%@&#!$^()[]", c) >= 0)
}
