package resolve

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"xbuild/internal/archive"
	"xbuild/internal/origin"
	"xbuild/internal/origin/rust"
)

// Faults are the requests that nothing can answer, each with why: a package, a version or a library that there is not.
// What else was requested can be had.
type Faults struct {
	order []string
	of    map[string]error // by the request's key
}

// Error lists what is wrong, each once.
func (f *Faults) Error() string {
	var out []string
	for _, key := range f.order {
		if text := f.of[key].Error(); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return strings.Join(out, "\n")
}

// Unwrap returns the errors of the requests.
func (f *Faults) Unwrap() []error {
	var out []error
	for _, key := range f.order {
		out = append(out, f.of[key])
	}
	return out
}

// Of returns what is wrong with the first of some requests that nothing can answer, nil where all can be answered.
func (f *Faults) Of(req Requests) error {
	for _, r := range req.Toolchains {
		if err := f.of[r.key()]; err != nil {
			return err
		}
	}
	for _, r := range req.Sysroots {
		if err := f.of[sysrootKey(r)]; err != nil {
			return err
		}
	}
	for _, r := range req.Parts {
		if err := f.of[r.key()]; err != nil {
			return err
		}
	}
	for _, r := range req.HostPackages {
		if err := f.of[r.key()]; err != nil {
			return err
		}
	}
	return nil
}

// put notes what is wrong with a request. Where that is not the request itself (a mirror that does not answer), the
// error comes back.
func (f *Faults) put(key string, err error) error {
	if !slices.ContainsFunc(unanswerable, func(e error) bool { return errors.Is(err, e) }) {
		return err
	}
	f.add(key, err)
	return nil
}

func (f *Faults) add(key string, err error) {
	if f.of == nil {
		f.of = map[string]error{}
	}
	if f.of[key] == nil {
		f.order = append(f.order, key)
	}
	f.of[key] = err
}

// unanswerable are the errors that another try, or another mirror, would not mend.
var unanswerable = []error{origin.ErrNoTarget, origin.ErrNoVersion, origin.ErrNoPackage, archive.ErrNoPackage,
	archive.ErrConflict, archive.ErrNoIndex, rust.ErrNoTarget}

func (r ToolchainRequest) key() string {
	return fmt.Sprintf("%s %q", r, r.Constraint)
}

func sysrootKey(r SysrootRequest) string {
	return fmt.Sprintf("sysroot %s %s %s %q %q %q %q", r.Def.Name, r.Arch, r.Suite, r.Packages, r.Version,
		r.Constraints, r.Release)
}

func (r PartRequest) key() string {
	return fmt.Sprintf("part %s %s %q", r.Def.Name, r.Target, r.Promised)
}
