package engine

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"xbuild/internal/inspect"
	"xbuild/internal/isa"
	"xbuild/internal/platform"
)

// TestAuditKept audits this test's own program twice: the second answer is that of the store, as long as the program's
// bytes are the same and the store's are whole.
func TestAuditKept(t *testing.T) {
	p := platform.Host()
	b, err := p.Baseline("", nil)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "program")
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	write := func() {
		t.Helper()
		if err := os.WriteFile(program, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write()
	e, err := Open(Options{Dir: t.TempDir(), StoreDir: filepath.Join(t.TempDir(), "store")})
	if err != nil {
		t.Fatal(err)
	}
	audit := func() isa.Report {
		t.Helper()
		r, err := inspect.File(program)
		if err != nil {
			t.Fatal(err)
		}
		if r.Size < worthKeeping {
			t.Fatalf("the test's program has %d bytes", r.Size)
		}
		if err := e.audited(context.Background(), r, b, inspect.AuditOptions{}); err != nil || r.Instructions == nil {
			t.Fatalf("%v, %v", r.Instructions, err)
		}
		return *r.Instructions
	}
	kept := func() []string {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(e.store.Dir(), "trees", "audit-*", "report.json"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	first := audit()
	if len(kept()) != 1 {
		t.Fatalf("the store keeps %q", kept())
	}
	tamper := func(text string) {
		t.Helper()
		if err := os.Chmod(kept()[0], 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(kept()[0], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if again := audit(); !reflect.DeepEqual(first, again) {
		t.Errorf("first %+v, then %+v", first, again)
	}
	tamper(`{"arch":"kept","code":1}`)
	if again := audit(); again.Arch != "kept" {
		t.Errorf("it was audited anew: %+v", again)
	}
	tamper(`{"arch":"kept","code":`)
	if again := audit(); !reflect.DeepEqual(first, again) {
		t.Errorf("of a broken report came %+v, want %+v", again, first)
	}
	key := func() string {
		t.Helper()
		key, err := e.auditKey(program, b, inspect.AuditOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	before := key()
	data = append(data, 0)
	write()
	if key() == before {
		t.Error("other bytes have the same name in the store")
	}
}
