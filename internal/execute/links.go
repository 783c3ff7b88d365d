package execute

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/disk"
)

// kernel are directories that every Linux machine fills by itself: what an installed link there leads to, no build
// brings.
var kernel = []string{"/dev", "/proc", "/run", "/sys"}

// settleLinks decides what becomes of the links among the outputs. One that leads to another output, or to a directory
// with outputs, is kept. In the place of one that leads to another file of the build is that file, under the link's
// name. One that leads nowhere, or out of the project, is an error: dist would hold a link to nothing, or what this
// machine has by chance.
func (st *state) settleLinks(a *action.Action) error {
	made := slices.Clone(st.Outputs)
	var errs []error
	for i := range st.Outputs {
		o := &st.Outputs[i]
		if o.Link == "" {
			continue
		}
		if err := o.settle(a, made); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (o *output) settle(a *action.Action, made []output) error {
	installed := disk.Within(o.Path, a.Stage)
	to, in := o.Link, filepath.Join(filepath.Dir(o.Dist), o.Link) // where it leads here, and in dist
	switch {
	case !filepath.IsAbs(to):
		to = filepath.Join(filepath.Dir(o.Path), to)
	case installed: // from the root of where it is installed
		to, in = filepath.Join(a.Stage, to), strings.TrimPrefix(filepath.Clean(o.Link), "/")
		if slices.ContainsFunc(kernel, func(dir string) bool { return disk.Within(filepath.Clean(o.Link), dir) }) {
			return nil
		}
	default:
		in = "" // dist lies elsewhere on the machine that it is for
	}
	fault := func(format string, args ...any) error {
		return fmt.Errorf("outputs: %s is a link to %s, %s; let the build make it another way, or write external = [%q] in [target.%s] where the machine brings it on which the target runs",
			o.Dist, o.Link, fmt.Sprintf(format, args...), filepath.Base(o.Link), a.Target)
	}
	if slices.Contains(a.External, filepath.Base(o.Link)) {
		return nil
	}
	real, err := filepath.EvalSymlinks(to)
	if errors.Is(err, fs.ErrNotExist) && installed && has(made, in, "") {
		return nil // by an absolute link, which leads astray here alone
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fault("which leads nowhere")
	}
	if err != nil {
		return fault("which leads nowhere (%v)", cause(err))
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	if has(made, in, to) || info.IsDir() && in != "" && has(made, in+string(filepath.Separator), "") {
		return nil
	}
	// Through links to directories: dist is laid out as the stage is.
	if rel, err := filepath.Rel(resolved(a.Stage), real); installed && err == nil {
		if has(made, rel, "") || info.IsDir() && has(made, rel+string(filepath.Separator), "") {
			return nil
		}
	}
	if info.IsDir() {
		return fault("a directory of which nothing is among the outputs: name its files")
	}
	holds := func(dir string) bool { return dir != "" && disk.Within(real, resolved(dir)) }
	if !slices.ContainsFunc([]string{a.Top, a.Build, a.Stage, a.Root, a.Watch}, holds) {
		return fault("which leads out of the project, to a file of this machine")
	}
	o.Path, o.Link, o.Stat = real, "", disk.StatOf(info)
	return nil
}

// has tells whether an output has a path in dist, and is what lies at a place here, where that is given. A path that
// ends in a separator is a directory's.
func has(made []output, dist, path string) bool {
	return slices.ContainsFunc(made, func(o output) bool {
		if strings.HasSuffix(dist, string(filepath.Separator)) {
			return strings.HasPrefix(o.Dist, dist)
		}
		return dist != "" && o.Dist == dist && (path == "" || o.Path == path)
	})
}

// resolved is a directory without links in its path.
func resolved(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return dir
}

// cause is an error without the path that it repeats.
func cause(err error) error {
	if p, ok := err.(*fs.PathError); ok {
		return p.Err
	}
	return err
}
