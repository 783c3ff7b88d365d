package project

// LineOf is the line of a key of a TOML text, by the keys that lead to it; where it is not there, of what is around it.
func LineOf(text string, path ...string) int {
	at := scan(text)
	for _, key := range path {
		at = at.key(key)
	}
	return at.line
}
