package env

import "strings"

// Plain tells a path that needs no care: shells, make, lists of directories and of options all take it for one word.
func Plain(path string) bool { return Odd(path, "+~") == "" }

// Odd is the first character of a path that is neither a letter, a digit, one of _ . - / nor one of more; "" is none.
// Bytes that are no ASCII mean nothing to any tool.
func Odd(path, more string) string {
	for _, r := range path {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r >= 0x80, strings.ContainsRune("_.-/", r),
			strings.ContainsRune(more, r):
		default:
			return string(r)
		}
	}
	return ""
}

// Quoted are words of a variable that holds several, as shells, CMake, Meson and Go read it: each in quotes, where it
// needs them. It is quoted as a whole and nothing in it is escaped, because Go knows neither.
func Quoted(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		switch {
		case Plain(strings.ReplaceAll(w, "=", "")):
			out[i] = w
		case !strings.Contains(w, "'"):
			out[i] = "'" + w + "'"
		default:
			out[i] = `"` + w + `"`
		}
	}
	return out
}
