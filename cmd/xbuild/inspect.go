package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/inspect"
	"xbuild/internal/platform"
)

// InspectCmd is xbuild inspect.
type InspectCmd struct {
	Files    []string `arg:"" name:"file" help:"Programs, shared objects, objects or archives: ELF, PE, Mach-O, ar."`
	Platform string   `short:"p" placeholder:"PLATFORM" help:"Hold the files against this platform, a glibc floor as suffix (default: TARGETPLATFORM, else against none)." env:"XBUILD_PLATFORM,TARGETPLATFORM"`
	Diff     bool     `help:"Print what changed from the first file to the second."`
	Scratch  bool     `help:"The files are for an image FROM scratch: one that needs a loader or libraries is a fault."`
	JSON     bool     `name:"json" help:"Print JSON: everything, the names of all symbols too."`
}

// Help is the long help.
func (*InspectCmd) Help() string {
	return "Says what a binary is and what it needs: machine, ABI, loader, libraries, the oldest glibc and the releases that run it, compilers, hardening. With -p it ends with 1 where the platform does not run a file, and says what to write in xbuild.toml. " +
		"In a project, the files are held against its glibc floor and its sysroot for the platform too.\n\n" +
		"Example: xbuild inspect -p linux/arm64.2.31 dist/linux/arm64/hello"
}

// Run inspects.
func (c *InspectCmd) Run(g *Globals) error {
	if c.Diff && len(c.Files) != 2 {
		return usageError{fmt.Errorf("inspect: --diff takes two files, not %d", len(c.Files))}
	}
	if c.Scratch && c.Platform == "" {
		return usageError{fmt.Errorf("inspect: --scratch wants -p: the platform of the image")}
	}
	var reports []*inspect.Report
	var failed []string
	for _, file := range c.Files {
		r, err := inspect.File(file)
		if err != nil {
			failed = append(failed, err.Error())
			continue
		}
		reports = append(reports, r)
	}
	if c.Diff {
		if len(failed) > 0 {
			return fmt.Errorf("%s", strings.Join(failed, "\n"))
		}
		changes := inspect.Diff(reports[0], reports[1])
		if c.JSON {
			return printJSON(changes)
		}
		return inspect.DiffText(os.Stdout, changes)
	}
	faults := 0
	if c.Platform != "" {
		s, err := g.open(false)
		if err != nil {
			return err
		}
		p, err := s.one(c.Platform)
		if err != nil {
			return err
		}
		if cut, ok := p.WithPage(s.Project.Config(p).Page); ok {
			p = cut
		}
		for _, r := range reports {
			limits, err := s.limits(p, r)
			if err != nil {
				return err
			}
			r.Faults = inspect.Check(r, p, limits)
			ours := len(inspect.Errors(r.Faults)) == 0 // code for another machine has nothing to do with this one's baseline
			if c.Scratch {
				limits.Scratch = true
				r.Faults = inspect.Check(r, p, limits)
			}
			if ours {
				if err := s.audit(p, r, limits.Sysroot); err != nil {
					return err
				}
			}
			faults += len(inspect.Errors(r.Faults))
		}
	}
	if c.JSON {
		if reports == nil {
			reports = []*inspect.Report{}
		}
		if err := printJSON(reports); err != nil {
			return err
		}
	} else {
		for i, r := range reports {
			if i > 0 {
				fmt.Println()
			}
			if err := r.Text(os.Stdout); err != nil {
				return err
			}
		}
	}
	if faults > 0 {
		plural := "s"
		if faults == 1 {
			plural = ""
		}
		failed = append(failed, fmt.Sprintf("%d fault%s against %s", faults, plural, c.Platform))
	}
	if len(failed) > 0 {
		return fmt.Errorf("%s", strings.Join(failed, "\n"))
	}
	return nil
}

// audit holds the machine code of a file against the platform's baseline in the project.
func (s *session) audit(p platform.Platform, r *inspect.Report, sysroot string) error {
	b, err := s.Baseline(p)
	if err != nil {
		return err
	}
	o := inspect.AuditOptions{Sysroot: sysroot}
	for _, t := range s.Project.Targets {
		o.Dispatched = append(o.Dispatched, t.For(p).Dispatched...)
	}
	if err := s.audited(r, b, o); err != nil {
		return err
	}
	r.Faults = append(r.Faults, inspect.InstructionFaults(r, p)...)
	return nil
}

// worthKeeping is from how many bytes on what an audit of a file found is kept in the store: smaller files are read in
// less time than a person notices.
const worthKeeping = 8 << 20

// audited audits a file, or takes what an audit of the same bytes by the same xbuild found before.
func (s *session) audited(r *inspect.Report, b platform.Baseline, o inspect.AuditOptions) error {
	if r.Size < worthKeeping {
		return r.Audit(r.Path, b, o)
	}
	key, err := s.auditKey(r.Path, b, o)
	if err != nil {
		return err
	}
	if dir, ok := s.store.HasTree(key); ok {
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
	s.store.Tree(s.ctx, key, func(tmp, _ string) error {
		text, err := json.Marshal(r.Instructions)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(tmp, "report.json"), text, 0o644)
	})
	return nil
}

// auditKey is the name in the store of what an audit finds: of all that it depends on, this program too.
func (s *session) auditKey(path string, b platform.Baseline, o inspect.AuditOptions) (string, error) {
	self, err := os.Stat(s.self)
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	fmt.Fprintf(h, "%d %d\n%s %q %q %q\n", self.Size(), self.ModTime().UnixNano(), b.Platform().Name, b.Features(), o.Dispatched, o.Sysroot)
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return "audit-" + hex.EncodeToString(h.Sum(nil)), nil
}

// limits are what the project asks of a file for a platform. Without a project nothing is known but a floor in the
// platform's name.
func (s *session) limits(p platform.Platform, r *inspect.Report) (inspect.Limits, error) {
	l := inspect.Limits{Glibc: s.Project.Config(p).Sysroot.Glibc}
	if !s.inProject || !p.HasC() {
		return l, nil
	}
	if l.Glibc == "" {
		_, suite, err := s.Suite(p)
		if err != nil {
			return l, err
		}
		l.Glibc = suite.Glibc
	}
	if len(r.Needed) == 0 {
		return l, nil
	}
	root, err := s.sysroot(p)
	if err != nil {
		return l, err
	}
	l.Sysroot = root.Dir
	if l.Beside, err = beside(filepath.Dir(r.Path), filepath.Join(s.Project.DistDir(), filepath.FromSlash(p.Name))); err != nil {
		return l, err
	}
	for _, t := range s.Project.Targets {
		l.Beside = append(l.Beside, t.For(p).External...)
	}
	return l, nil
}

// beside are the names of the files in directories and below.
func beside(dirs ...string) ([]string, error) {
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
