package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNested: a file of tables in tables is refused at once, with its line.
func TestNested(t *testing.T) {
	const n = 20_000
	for name, text := range map[string]string{
		"header":       "\n[" + strings.Repeat("a.", n) + "a]\n",
		"key":          "\n" + strings.Repeat("a.", n) + "a=1\n",
		"inline":       "\nx=" + strings.Repeat("{a=", n) + "1" + strings.Repeat("}", n) + "\n",
		"inline keys":  "\nx=" + strings.Repeat("{a.a.a.a=", n) + "1" + strings.Repeat("}", n) + "\n",
		"list":         "\nx=" + strings.Repeat("[", n) + strings.Repeat("]", n) + "\n",
		"after string": "s=\"\"\"\n\\\"\"\"\"\nx=" + strings.Repeat("{a=", n) + "1" + strings.Repeat("}", n) + "\n",
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, FileName)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err := Load(file, Schema{})
		line := ":2: "
		if name == "after string" {
			line = ":3: "
		}
		if err == nil || !strings.Contains(err.Error(), line+"nested deeper than 32") {
			t.Errorf("%s: error %v", name, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
	}
}
