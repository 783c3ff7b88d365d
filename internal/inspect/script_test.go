package inspect

import (
	"os"
	"path/filepath"
	"testing"
)

func TestInterpreter(t *testing.T) {
	file := filepath.Join(t.TempDir(), "script")
	for text, want := range map[string]string{
		"#!/usr/bin/env node\nlet a": "node", "#! /usr/bin/node\n": "node", "#!/usr/bin/env -S A=1 node --expose-gc\n": "node", "#!/bin/sh": "sh",
		"#!\n": "", "": "", "let a = '#!/usr/bin/node'": "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := Interpreter(file); got != want {
			t.Errorf("%q is run by %q, want %q", text, got, want)
		}
	}
	if got := Interpreter(file + "not there"); got != "" {
		t.Errorf("a file that is not there is run by %q", got)
	}
}
