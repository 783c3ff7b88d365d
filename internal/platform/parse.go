package platform

import (
	"fmt"
	"strings"
	"sync"

	"xbuild/internal/lazyregexp"
	"xbuild/internal/spelling"
)

// key is a spelling without what people vary: case, and which of "/", "_" and "-" separates.
func key(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '_':
			return '-'
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// Parse returns the platform that s spells, in any tool's spelling. A libc in it (aarch64-linux-musl) is not part of
// the platform. Where a spelling is not clear the lower baseline is meant, except that bare "arm" is v7, as in Docker.
func Parse(s string) (Platform, error) {
	t := platforms()
	if i, ok := t.byKey[key(strings.TrimSpace(s))]; ok {
		return t.all[i], nil
	}
	hint := ""
	if n := spelling.Nearest(key(s), spellings()); n != "" {
		hint = fmt.Sprintf("; did you mean %q?", t.all[t.byKey[n]].Name)
	}
	return Platform{}, fmt.Errorf("platform %q is unknown%s (xbuild platforms lists them)", s, hint)
}

var spellings = sync.OnceValue(func() []string {
	t := platforms()
	var keys []string
	for _, p := range t.all { // names first: on a tie the printed spelling wins
		keys = append(keys, key(p.Name))
	}
	for _, p := range t.all {
		for _, s := range append([]string{p.Triplet, p.LLVM, p.Rust, p.RustMusl, p.Musl, p.Debian}, p.Aliases...) {
			if s != "" {
				keys = append(keys, key(s))
			}
		}
	}
	return keys
})

// glibc is at version 2 since 1997, and so a floor can be told from the dot of a variant (arm64/v8.2).
var floorRE = lazyregexp.New(`^(.+)\.(2\.[0-9]{1,3})$`)

// ParseFloor is Parse for a spelling that may end in a glibc floor, as cargo-zigbuild writes it:
// aarch64-linux-gnu.2.17, linux/arm64.2.31, linux/arm64/v8.2.2.31. Without one the floor is empty.
func ParseFloor(s string) (p Platform, floor string, err error) {
	p, err = Parse(s)
	if err == nil {
		return p, "", nil
	}
	m := floorRE.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return Platform{}, "", err
	}
	p, err = Parse(m[1])
	if err != nil {
		return Platform{}, "", err
	}
	switch {
	case !p.HasC():
		return Platform{}, "", fmt.Errorf("platform %q has a glibc floor, and %s has no glibc here", s, p)
	case strings.Contains(m[1], "musl"):
		return Platform{}, "", fmt.Errorf("platform %q has a glibc floor, and its libc is musl", s)
	}
	return p, m[2], nil
}
