package archive

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// An Alternative is what a package offers for a link that several packages may make, such as libblas.so
// (update-alternatives(1)).
type Alternative struct {
	Priority int
	Links    []Link // the one that is chosen, then those that follow it
}

// A Link is a symbolic link; both are paths from the top of the tree.
type Link struct{ Path, Target string }

const (
	maxScript = 256 << 10 // bytes of a package's script
	maxValue  = 512       // of a word in it
)

// Alternatives are those that a .deb registers when it is installed: the commands update-alternatives --install of its
// postinst. The script is read and never run. A command is taken whether or not a condition stands before it, because
// LinkAlternatives makes no links to what is not there; one whose arguments the script computes in another way than by
// variables is left out, and so is a script in another language than the shell's.
func Alternatives(deb io.ReaderAt, size int64) ([]Alternative, error) {
	control, err := member(deb, size, "control.tar")
	if err != nil {
		return nil, err
	}
	z, err := NewReader(control, control.Size())
	if err != nil {
		return nil, err
	}
	defer z.Close()
	tr := tar.NewReader(z)
	for n := range maxEntries {
		h, err := tr.Next()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("control.tar, entry %d: %w", n+1, err)
		}
		if path.Clean(h.Name) != "postinst" || h.Typeflag != tar.TypeReg {
			continue
		}
		script, err := io.ReadAll(io.LimitReader(tr, maxScript))
		if err != nil {
			return nil, fmt.Errorf("postinst: %w", err)
		}
		return scriptAlternatives(script), nil
	}
	return nil, fmt.Errorf("%w: control.tar has too many entries", ErrDeb)
}

// AlternativesFile is Alternatives of a file.
func AlternativesFile(file string) (list []Alternative, err error) {
	err = withFile(file, func(f *os.File, size int64) error {
		list, err = Alternatives(f, size)
		return err
	})
	return list, err
}

// scriptAlternatives reads a shell script.
func scriptAlternatives(script []byte) []Alternative {
	if !bytes.Contains(script, []byte("update-alternatives")) {
		return nil
	}
	var file *syntax.File
	if err := caught(func() (err error) {
		file, err = syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(bytes.NewReader(script), "postinst")
		return err
	}); err != nil {
		return nil
	}
	vars := variables{}
	value := func(w *syntax.Word) (string, bool) {
		if w == nil {
			return "", true
		}
		var s string
		err := caught(func() (err error) {
			s, err = expand.Literal(&expand.Config{Env: vars, NoUnset: true}, w)
			return err
		})
		return s, err == nil && len(s) <= maxValue
	}
	var all []Alternative
	syntax.Walk(file, func(node syntax.Node) bool {
		if loop, ok := node.(*syntax.WordIter); ok {
			delete(vars, loop.Name.Value)
		}
		call, ok := node.(*syntax.CallExpr)
		if !ok {
			return true
		}
		for _, a := range call.Assigns {
			if a.Name == nil {
				continue
			}
			delete(vars, a.Name.Value)
			if s, ok := value(a.Value); ok && !a.Append && a.Index == nil && a.Array == nil {
				vars[a.Name.Value] = s
			}
		}
		var args []string
		for _, w := range call.Args {
			s, ok := value(w)
			if !ok {
				return true
			}
			args = append(args, s)
		}
		if len(args) > 0 && path.Base(args[0]) == "update-alternatives" {
			if a, ok := parseAlternative(args[1:]); ok {
				all = append(all, a)
			}
		}
		return true
	})
	return all
}

// caught makes an error of a panic. The shell's expander has some for what it does not know, such as <( … ) and @( … ),
// and a script is data.
func caught(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return do()
}

// parseAlternative reads the arguments of update-alternatives --install LINK NAME PATH PRIORITY [--slave LINK NAME
// PATH]…
func parseAlternative(args []string) (a Alternative, ok bool) {
	link := func(path, target string) bool {
		p, ok := fromTop(path)
		t, ok2 := fromTop(target)
		a.Links = append(a.Links, Link{p, t})
		return ok && ok2 && p != t
	}
	for len(args) > 0 {
		n := 1
		switch {
		case args[0] == "--install" && len(args) > 4 && len(a.Links) == 0:
			var err error
			if a.Priority, err = strconv.Atoi(args[4]); err != nil || !link(args[1], args[3]) {
				return a, false
			}
			n = 5
		case args[0] == "--slave" && len(args) > 3 && len(a.Links) > 0:
			if !link(args[1], args[3]) {
				return a, false
			}
			n = 4
		}
		args = args[n:]
	}
	return a, len(a.Links) > 0
}

// fromTop is an absolute path from the top of a tree with a merged /usr.
func fromTop(abs string) (string, bool) {
	if !path.IsAbs(abs) {
		return "", false
	}
	p := usrMerge(path.Clean(abs)[1:])
	return p, localPath(p) && p != "."
}

// variables are those of a script.
type variables map[string]string

func (v variables) Get(name string) expand.Variable {
	s, ok := v[name]
	return expand.Variable{Set: ok, Kind: expand.String, Str: s}
}

func (v variables) Each(func(name string, vr expand.Variable) bool) {}

// LinkAlternatives makes the links in dir, where all packages have been unpacked: for each the one of the highest
// priority whose file is there, the first of several, as update-alternatives does by itself. What a package has
// unpacked stays as it is. Nothing is ever written outside dir.
func LinkAlternatives(dir string, all []Alternative) error {
	t, err := openTree(dir)
	if err != nil {
		return err
	}
	defer t.close()
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Alternative) int { return cmp.Compare(b.Priority, a.Priority) })
	taken := map[string]bool{}
	for _, a := range all {
		if _, err := t.root.Stat(a.Links[0].Target); err != nil || taken[a.Links[0].Path] {
			continue
		}
		taken[a.Links[0].Path] = true
		for _, l := range a.Links {
			if _, err := t.root.Stat(l.Target); err != nil {
				continue
			}
			if _, err := t.root.Lstat(l.Path); !errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := t.symlink(l.Path, l.Target); err != nil {
				return fmt.Errorf("alternative %q: %w", l.Path, err)
			}
		}
	}
	return nil
}
