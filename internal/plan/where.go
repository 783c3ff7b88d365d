package plan

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
)

// buildFiles are names of files that say how a project is built.
var buildFiles = []string{
	"*akefile*", "*.mk", "*.mak", "*.make", "*.am", "*.ac", "*.m4", "configure*", "Configure*", "config*.toml", "CMakeLists.txt", "*.cmake", "CMakePresets.json", "meson.build", "meson_options.txt", "meson.options",
	"build.rs", "Cargo.toml", "*.gyp", "*.gypi", "package.json", "SConstruct", "SConscript", "*.pro", "*.pri", "*.in", "*.sh", "*.py", "*.pl", "*.go", "BUILD*", "*.bzl", "wscript", "auto*", "xbuild.toml",
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
			if _, err := os.Stat(filepath.Join(file, "CACHEDIR.TAG")); err == nil || slices.Contains([]string{".git", ".hg", ".svn", "node_modules"}, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxBuildFile || !slices.ContainsFunc(buildFiles, func(glob string) bool {
			ok, _ := path.Match(glob, d.Name())
			return ok
		}) {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil
		}
		if at := re.FindIndex(text); at != nil {
			name, err := filepath.Rel(dir, file)
			if err != nil {
				name = file
			}
			out = append(out, fmt.Sprintf("%s:%d", filepath.ToSlash(name), 1+bytes.Count(text[:at[0]], []byte("\n"))))
		}
		return nil
	})
	return out
}
