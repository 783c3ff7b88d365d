package debian

import (
	"bufio"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/lazyregexp"
)

// Public are the mirrors of the Debian archive that are used where neither the caller, the project nor the host's own
// apt names one.
var Public = []string{"https://ftp.debian.org/debian", "https://mirrors.kernel.org/debian"}

// Snapshot is the archive of everything that was ever in the pool, by the date of a Release (snapshot.debian.org,
// "Usage"): it has what the mirrors no longer carry.
const Snapshot = "https://snapshot.debian.org/archive/debian"

// HostMirrors returns the Debian mirrors that the host's apt is configured with (sources.list(5), both formats), where
// root is "/".
func HostMirrors(root string) []string {
	var out []string
	add := func(uri string) {
		uri = strings.TrimRight(uri, "/")
		web := strings.HasPrefix(uri, "http://") || strings.HasPrefix(uri, "https://")
		if web && path.Base(uri) == "debian" && !slices.Contains(out, uri) {
			out = append(out, uri)
		}
	}
	lists, _ := filepath.Glob(filepath.Join(root, "etc/apt/sources.list.d/*"))
	for _, file := range append([]string{filepath.Join(root, "etc/apt/sources.list")}, lists...) {
		f, err := os.Open(file)
		if err != nil {
			continue // no apt, or a file that is not for us to read
		}
		scan := bufio.NewScanner(f)
		for scan.Scan() {
			line := strings.TrimSpace(scan.Text())
			switch {
			case strings.HasSuffix(file, ".sources"):
				if rest, ok := strings.CutPrefix(line, "URIs:"); ok {
					for _, uri := range strings.Fields(rest) {
						add(uri)
					}
				}
			case strings.HasSuffix(file, ".list"):
				if rest, ok := strings.CutPrefix(line, "deb "); ok {
					// deb [ options ] uri suite component…
					if i := strings.Index(rest, "]"); strings.HasPrefix(strings.TrimSpace(rest), "[") && i >= 0 {
						rest = rest[i+1:]
					}
					if words := strings.Fields(rest); len(words) > 0 {
						add(words[0])
					}
				}
			}
		}
		f.Close()
	}
	return out
}

// aptToken is a word, a quoted string, a comment, or one of the signs of apt.conf(5).
var aptToken = lazyregexp.New(`(?s)//[^\n]*|/\*.*?\*/|(?m:^\s*#[^\n]*)|"[^"]*"|[{};]|[^\s"{};]+`)

// HostTakesExpired tells whether the host's apt is told not to look at Valid-Until (apt.conf(5),
// Acquire::Check-Valid-Until), as it is where its mirrors are copies of a certain day. Root is "/".
func HostTakesExpired(root string) bool {
	parts, _ := filepath.Glob(filepath.Join(root, "etc/apt/apt.conf.d/*"))
	parts = slices.DeleteFunc(parts, func(f string) bool { return path.Ext(f) != "" && path.Ext(f) != ".conf" })
	checked := true
	for _, file := range append(parts, filepath.Join(root, "etc/apt/apt.conf")) { // the last one counts
		data, err := os.ReadFile(file)
		if err != nil {
			continue // no apt, or a file that is not for us to read
		}
		var scopes, words []string
		for _, t := range aptToken.FindAllString(string(data), -1) {
			switch {
			case strings.HasPrefix(t, "//"), strings.HasPrefix(t, "/*"), strings.HasPrefix(strings.TrimSpace(t), "#"):
			case t == "{":
				scopes, words = append(scopes, strings.Join(words, "")), nil
			case t == "}":
				scopes, words = scopes[:max(0, len(scopes)-1)], nil
			case t == ";":
				if len(words) == 2 {
					name := strings.ToLower(strings.Join(append(slices.Clone(scopes), words[0]), "::"))
					if name == "acquire::check-valid-until" {
						// apt's StringToBool
						value := strings.ToLower(strings.Trim(words[1], `"`))
						checked = !slices.Contains([]string{"0", "no", "false", "without", "off", "disable"}, value)
					}
				}
				words = nil
			default:
				words = append(words, t)
			}
		}
	}
	return !checked
}
