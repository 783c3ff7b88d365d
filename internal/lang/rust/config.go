package rust

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"

	"xbuild/internal/scan"
)

// buildFlags are the flags for rustc that a project's own .cargo/config.toml has for every target (The Cargo Book,
// "build.rustflags"), those of directories further up first. cargo itself leaves them out where anything gives flags
// for the target alone, as xbuild does on its command line. The files are those in a source and in the directories
// above it as far as top.
func buildFlags(files *scan.Files, source, top, target string) ([]string, error) {
	var out []string
	own := false
	for dir := source; ; dir = filepath.Dir(dir) {
		for _, name := range []string{"config", "config.toml"} {
			file := filepath.Join(dir, ".cargo", name)
			text, err := files.Read(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			var config struct {
				Build struct {
					RustFlags rustFlagList `toml:"rustflags"`
				} `toml:"build"`
				Target map[string]struct {
					RustFlags rustFlagList `toml:"rustflags"`
				} `toml:"target"`
			}
			if _, err := toml.Decode(string(text), &config); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			own = own || config.Target[target].RustFlags != nil
			out = append(config.Build.RustFlags[:len(config.Build.RustFlags):len(config.Build.RustFlags)], out...)
			break // cargo takes the one without a suffix where both are there
		}
		if dir == top || dir == filepath.Dir(dir) {
			break
		}
	}
	if own {
		return nil, nil
	}
	return out, nil
}

// A rustFlagList is a list of strings, or a string with spaces between them.
type rustFlagList []string

// UnmarshalTOML accepts both.
func (l *rustFlagList) UnmarshalTOML(v any) error {
	*l = rustFlagList{}
	switch v := v.(type) {
	case string:
		*l = append(*l, strings.Fields(v)...)
		return nil
	case []any:
		for _, x := range v {
			s, ok := x.(string)
			if !ok {
				return errors.New("rustflags: want strings")
			}
			*l = append(*l, s)
		}
		return nil
	}
	return errors.New("rustflags: want a list of strings or a string")
}
