package explain

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"

	"xbuild/internal/lazyregexp"
)

// buildFiles are names of files that say how a project is built.
var buildFiles = []string{
	"*akefile*", "*.mk", "*.mak", "*.make", "*.am", "*.ac", "*.m4", "configure*", "Configure*", "config*.toml",
	"CMakeLists.txt", "*.cmake", "CMakePresets.json", "meson.build", "meson_options.txt", "meson.options",
	"build.rs", "Cargo.toml", "*.gyp", "*.gypi", "package.json", "SConstruct", "SConscript", "*.pro", "*.pri", "*.in",
	"*.sh", "*.py", "*.pl", "*.go", "BUILD*", "*.bzl", "wscript", "auto*", "xbuild.toml",
}

// Bounds of a search for a few words in a project: a hint may take a moment, and no more.
const (
	maxPlaces    = 3
	maxSearched  = 20000   // files and directories
	maxBuildFile = 1 << 20 // bytes
)

// placesOf are the first lines of build files in a directory and below that match, as FILE:LINE.
func placesOf(re *regexp.Regexp, dir string) []string {
	var out []string
	searched := 0
	filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if searched++; searched > maxSearched || len(out) >= maxPlaces {
			return fs.SkipAll
		}
		if err != nil {
			return nil // what cannot be read has no place
		}
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(file, "CACHEDIR.TAG")); err == nil ||
				slices.Contains([]string{".git", ".hg", ".svn", "node_modules"}, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxBuildFile ||
			!slices.ContainsFunc(buildFiles, func(glob string) bool {
				ok, _ := path.Match(glob, d.Name())
				return ok
			}) {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil
		}
		for _, at := range re.FindAllIndex(text, -1) {
			if speaks.Match(logicalLine(text, at[0])) {
				continue
			}
			name, err := filepath.Rel(dir, file)
			if err != nil {
				name = file
			}
			out = append(out, fmt.Sprintf("%s:%d", filepath.ToSlash(name), 1+bytes.Count(text[:at[0]], []byte("\n"))))
			break
		}
		return nil
	})
	return out
}

// speaks begins a line that does nothing: a comment, or a message.
var speaks = lazyregexp.New(`^\s*(#|//|[@-]*(echo|printf)\b|\$[({](warning|info|error)\b|message\(|AC_MSG_)`)

// logicalLine is the line that a position is in, with the lines before it that go on in it (they end in a backslash),
// up to the position.
func logicalLine(text []byte, at int) []byte {
	begin := at
	for {
		begin = bytes.LastIndexByte(text[:begin], '\n') + 1
		if before := bytes.TrimRight(text[:begin], "\r\n"); begin == 0 || !bytes.HasSuffix(before, []byte{'\\'}) {
			return text[begin:at]
		}
		begin--
	}
}
