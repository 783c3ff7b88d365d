package engine

import (
	"os"
	"os/exec"
	"testing"
)

// TestProgramID: another xbuild has another name in the keys of kept results, although the version is the same word.
func TestProgramID(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	const version = "development"
	own := programID(self, version)
	if own != programID(self, version) || own == version || own == programID(other, version) ||
		programID("/nowhere", version) != version {
		t.Errorf("%q, %q, %q", own, programID(other, version), programID("/nowhere", version))
	}
}
