package lock

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPrograms: what has programs for the host is among a sysroot's files.
func TestPrograms(t *testing.T) {
	file := File{Name: "gen", Version: "1", Arch: "arm64", Path: "pool/gen.deb", Size: 1, SHA256: strings.Repeat("a", 64)}
	l := &Lock{Version: Version, Sysroots: []Sysroot{{
		Name: "glibc", Arch: "arm64", Version: "2.41", Programs: []string{"gen"}, Files: []File{file},
	}}}
	path := filepath.Join(t.TempDir(), FileName)
	if err := l.Write(path); err != nil {
		t.Fatal(err)
	}
	if read, err := Read(path); err != nil || !read.Equal(l) || len(read.Sysroots[0].Programs) != 1 {
		t.Errorf("read %+v, %v", read, err)
	}
	l.Sysroots[0].Programs = []string{"other"}
	if err := l.Write(path); err == nil || !strings.Contains(err.Error(), `programs names "other", which is none of its files`) {
		t.Errorf("error %v", err)
	}
}
