// Package spelling guesses what was meant by a word that is not known. There is one distance for all: names of keys,
// platforms, targets and features.
package spelling

import "strings"

// Nearest is the choice that was probably meant by word, or "".
func Nearest(word string, choices []string) string {
	best, bestDistance := "", -1
	folded := fold(word)
	for _, c := range choices {
		d := distance(folded, fold(c))
		// A third of the letters may be wrong: "platfroms" is platforms, but "go" is not "cc".
		if d > (max(len(word), len(c))+1)/3 {
			continue
		}
		// Of two as near, the one as long: "sourcse" is sources, not source.
		if bestDistance < 0 || d < bestDistance || d == bestDistance && len(c) == len(word) && len(best) != len(word) {
			best, bestDistance = c, d
		}
	}
	return best
}

func fold(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }

// distance is Damerau-Levenshtein's, with a swap of neighbours as one step.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b)) // nobody's slip of the pen
	}
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
