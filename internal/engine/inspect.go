package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"xbuild/internal/inspect"
	"xbuild/internal/platform"
)

// Inspect holds what was read of files against a platform, in any spelling, and against what the project asks for
// there: its glibc floor, its sysroot, its baseline. What does not fit is put into the reports' faults. With scratch
// the files are for an image FROM scratch. A spelling that is no platform is a RequestError; it is an error where the
// sysroot cannot be had, or a file cannot be read again.
func (e *Engine) Inspect(ctx context.Context, reports []*inspect.Report, platformName string, scratch bool) error {
	p, err := e.one(platformName)
	if err != nil {
		return err
	}
	if cut, ok := p.WithPage(e.pl.Project.Config(p).Page); ok {
		p = cut
	}
	for _, r := range reports {
		limits, err := e.limits(ctx, p, r)
		if err != nil {
			return err
		}
		r.Faults = inspect.Check(r, p, limits)
		ours := len(inspect.Errors(r.Faults)) == 0 // code for another machine has nothing to do with this one's baseline
		if scratch {
			limits.Scratch = true
			r.Faults = inspect.Check(r, p, limits)
		}
		if ours {
			if err := e.audit(ctx, p, r, limits.Sysroot); err != nil {
				return err
			}
		}
	}
	return nil
}

// audit holds the machine code of a file against the platform's baseline in the project.
func (e *Engine) audit(ctx context.Context, p platform.Platform, r *inspect.Report, sysroot string) error {
	b, err := e.pl.Baseline(p)
	if err != nil {
		return err
	}
	o := inspect.AuditOptions{Sysroot: sysroot}
	for _, t := range e.pl.Project.Targets {
		o.Dispatched = append(o.Dispatched, t.For(p).Dispatched...)
	}
	if err := e.audited(ctx, r, b, o); err != nil {
		return err
	}
	r.Faults = append(r.Faults, inspect.InstructionFaults(r, p)...)
	return nil
}

// worthKeeping is from how many bytes on what an audit of a file found is kept in the store: smaller files are read in
// less time than a person notices.
const worthKeeping = 8 << 20

// audited audits a file, or takes what an audit of the same bytes by the same xbuild found before.
func (e *Engine) audited(ctx context.Context, r *inspect.Report, b platform.Baseline, o inspect.AuditOptions) error {
	if r.Size < worthKeeping {
		return r.Audit(r.Path, b, o)
	}
	key, err := e.auditKey(r.Path, b, o)
	if err != nil {
		return err
	}
	if dir, ok := e.store.HasTree(key); ok {
		text, err := os.ReadFile(filepath.Join(dir, "report.json"))
		if err == nil && json.Unmarshal(text, &r.Instructions) == nil {
			return nil
		}
		r.Instructions = nil
	}
	if err := r.Audit(r.Path, b, o); err != nil || r.Instructions == nil {
		return err
	}
	// Where the store cannot be written, as on a full disk, the answer is the same, and found anew the next time.
	e.store.Tree(ctx, key, func(tmp, _ string) error {
		text, err := json.Marshal(r.Instructions)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(tmp, "report.json"), text, 0o644)
	})
	return nil
}

// auditKey is the name in the store of what an audit finds: of all that it depends on, this program too.
func (e *Engine) auditKey(path string, b platform.Baseline, o inspect.AuditOptions) (string, error) {
	self, err := os.Stat(e.self)
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	fmt.Fprintf(h, "%d %d\n", self.Size(), self.ModTime().UnixNano())
	fmt.Fprintf(h, "%s %q %q %q\n", b.Platform().Name, b.Features(), o.Dispatched, o.Sysroot)
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return "audit-" + hex.EncodeToString(h.Sum(nil)), nil
}

// limits are what the project asks of a file for a platform. Without a project nothing is known but a floor in the
// platform's name.
func (e *Engine) limits(ctx context.Context, p platform.Platform, r *inspect.Report) (inspect.Limits, error) {
	l := inspect.Limits{Glibc: e.pl.Project.Config(p).Sysroot.Glibc}
	if !e.inProject || !p.HasC() {
		return l, nil
	}
	if l.Glibc == "" {
		_, suite, err := e.pl.Suite(p)
		if err != nil {
			return l, err
		}
		l.Glibc = suite.Glibc
	}
	if len(r.Needed) == 0 {
		return l, nil
	}
	var err error
	if l.Sysroot, err = e.sysrootDir(ctx, p); err != nil {
		return l, err
	}
	dist := filepath.Join(e.pl.Project.DistDir(), filepath.FromSlash(p.Name))
	if l.Beside, err = namesIn(filepath.Dir(r.Path), dist); err != nil {
		return l, err
	}
	for _, t := range e.pl.Project.Targets {
		l.Beside = append(l.Beside, t.For(p).External...)
	}
	return l, nil
}

// namesIn are the names of the files in directories and below, each once.
func namesIn(dirs ...string) ([]string, error) {
	var out []string
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !slices.Contains(out, d.Name()) {
				out = append(out, d.Name())
			}
			if os.IsNotExist(err) {
				return nil
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
