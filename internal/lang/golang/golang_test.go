package golang

import (
	"os"
	"path/filepath"
	"testing"

	"xbuild/internal/platform"
	"xbuild/internal/project"
)

// TestRelease: an exact release is named to Go, the caller's choice counts where the project has none, and "" never.
func TestRelease(t *testing.T) {
	for _, c := range []struct {
		asked project.ToolchainRequest
		set   string
		want  string
	}{
		{project.ToolchainRequest{}, "", "auto"},
		{project.ToolchainRequest{}, "local", "local"},
		{project.ToolchainRequest{Constraint: "1.27.1"}, "local", "go1.27.1"},
		{project.ToolchainRequest{Constraint: "^1.24"}, "", "auto"},
		{project.ToolchainRequest{Constraint: "1.27.1", Source: "host"}, "", "auto"},
	} {
		if got := Release(c.asked, c.set); got != c.want {
			t.Errorf("%+v, GOTOOLCHAIN=%q: %q, want %q", c.asked, c.set, got, c.want)
		}
	}
}

// write makes a folder with files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestWord: whether the package of a file is compiled with cgo alone on a platform, and whether it is compiled so.
func TestWord(t *testing.T) {
	dir := write(t, map[string]string{
		"plain/a.go":      "package plain\n",
		"cgo/a.go":        "package cgo\n\nimport \"C\"\n",
		"here/a_linux.go": "package here\n\nimport \"C\"\n",
	})
	for _, c := range []struct {
		platform, file string
		cgo            bool
		want           string
	}{
		{"linux/arm64", "plain/a.go", true, "none"},
		{"linux/arm64", "cgo/a.go", true, "compiled"},
		{"linux/arm64", "cgo/a.go", false, "left out"},
		{"linux/arm64", "here/other.go", false, "left out"},
		{"windows/amd64", "here/other.go", false, "none"},
		{"linux/arm64", "nowhere/a.go", false, "none"},
	} {
		p, err := platform.Parse(c.platform)
		if err != nil {
			t.Fatal(err)
		}
		got := word("cgo", filepath.Join(dir, c.file), project.Target{Options: map[string]any{"cgo": c.cgo}}, p)
		if got != c.want {
			t.Errorf("%s of %s, cgo = %v: %q, want %q", c.file, c.platform, c.cgo, got, c.want)
		}
	}
}
