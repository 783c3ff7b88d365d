package compose

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sync/errgroup"

	"xbuild/internal/catalog"
)

// A BuiltCXX is a C++ library for a platform whose packages have none, or an older one than a project wants: a static
// library in a tree of its own, compiled from its source by the platform's own compiler at the platform's baseline. Its
// headers are the source's, behind the few that the library's own build would write.
type BuiltCXX struct {
	Source  Sysroot
	Library *catalog.Library
}

// WithCXX returns the sysroot with a C++ library that is built for it.
func (s Sysroot) WithCXX(source Sysroot, library *catalog.Library) Sysroot {
	s.CXX, s.NoCXX = &BuiltCXX{Source: source, Library: library}, ""
	return s
}

// cxxKey is the key of the tree of the view's C++ library: all that decides what its compiler does, and from what. Of
// the sysroot that are the C library's own packages: others have nothing that the library is made of, and a project
// that adds one does not compile it again.
func (v View) cxxKey() string {
	c := v.Sysroot.CXX
	if v.Sysroot.libc != "" {
		v.Sysroot.Key = v.Sysroot.libc
	}
	name := c.Library.Name + "-" + strings.ReplaceAll(v.Platform.Name, "/", "-")
	return key(name, []string{
		strings.Join(compiling(v.base(v.Platform.LLVM)), " "), c.Source.Key, fmt.Sprint(*c.Library),
	})
}

// cxxConfig are the lines of clang's configuration that find the view's C++ library.
func (v View) cxxConfig(tree func(string) string) []string {
	c := v.Sysroot.CXX
	return slices.Concat(c.Library.Flags, []string{
		"-stdlib++-isystem" + tree(v.cxxKey()) + "/include",
		"-stdlib++-isystem" + tree(c.Source.Key) + "/" + c.Library.Headers,
		"-L" + tree(v.cxxKey()) + "/lib",
		fmt.Sprintf("-ffile-prefix-map=%s=/usr/%s", tree(c.Source.Key), c.Library.Name),
	})
}

// cxx compiles the view's C++ library, where it is not in the store.
func (c *Composer) cxx(ctx context.Context, v View) error {
	lib, source := v.Sysroot.CXX.Library, v.Sysroot.CXX.Source.Dir
	_, err := c.Store.Tree(ctx, v.cxxKey(), func(tmp, _ string) error {
		what := fmt.Sprintf("%s for %s", lib.Name, v.Platform.Name)
		c.note("%s: compiling it from source, once", what)
		start := time.Now()
		if err := writeFiles(filepath.Join(tmp, "include"), lib.Config); err != nil {
			return err
		}
		objects, err := v.compileCXX(ctx, lib, source, tmp)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err := os.Mkdir(filepath.Join(tmp, "lib"), 0o755); err != nil {
			return err
		}
		args := append([]string{"rcsD", filepath.Join(tmp, "lib", lib.Name+".a")}, objects...)
		ar := exec.CommandContext(ctx, v.Compiler.Program(v.Compiler.compiler().Tools["ar"]), args...)
		if out, err := ar.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %s: %w\n%s", what, filepath.Base(ar.Path), err, out)
		}
		c.note("%s: compiled in %.0f s", what, time.Since(start).Seconds())
		return os.RemoveAll(filepath.Join(tmp, "obj"))
	})
	return err
}

// compileCXX compiles the files of a library into the directory obj of its tree and returns the objects, in the order
// of their names.
func (v View) compileCXX(ctx context.Context, lib *catalog.Library, source, tree string) ([]string, error) {
	common := slices.Concat(v.direct(v.base(v.Platform.LLVM)), []string{
		"--driver-mode=g++",
		"-stdlib++-isystem" + filepath.Join(tree, "include"),
		"-stdlib++-isystem" + filepath.Join(source, lib.Headers),
		"-ffile-prefix-map=" + source + "=/usr/" + lib.Name,
		"-ffile-prefix-map=" + tree + "=/usr/" + lib.Name,
	})
	obj := filepath.Join(tree, "obj")
	if err := os.Mkdir(obj, 0o755); err != nil {
		return nil, err
	}
	fill := func(args []string) []string {
		out := slices.Clone(args)
		for i := range out {
			out[i] = strings.ReplaceAll(out[i], "{source}", source)
		}
		return out
	}
	var objects []string
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU())
	for i, u := range lib.Units {
		args := slices.Concat(common, fill(lib.Compile), fill(u.Compile))
		names, err := unitFiles(u, source)
		if err == nil && len(u.Precompiled) > 0 {
			header := filepath.Join(obj, fmt.Sprintf("unit%d.h", i))
			text := "#include <" + strings.Join(u.Precompiled, ">\n#include <") + ">\n"
			if err = os.WriteFile(header, []byte(text), 0o644); err == nil {
				err = v.run(gctx, tree, slices.Concat(args, []string{"-x", "c++-header", header, "-o", header + ".pch"}))
			}
			args = append(args, "-include-pch", header+".pch")
		}
		if err != nil { // compilers of the units before run already
			g.Go(func() error { return err })
			break
		}
		for _, name := range names {
			object := filepath.Join(obj, strings.ReplaceAll(name, "/", "-")+".o")
			objects = append(objects, object)
			g.Go(func() error {
				return v.run(gctx, tree, slices.Concat(args, []string{"-c", filepath.Join(source, name), "-o", object}))
			})
		}
	}
	slices.Sort(objects)
	return objects, g.Wait()
}

// unitFiles are the files of a unit, by their paths in the source.
func unitFiles(u catalog.Unit, source string) ([]string, error) {
	var names []string
	for _, glob := range u.Sources {
		found, err := doublestar.Glob(os.DirFS(source), glob, doublestar.WithFilesOnly())
		if err != nil {
			return nil, fmt.Errorf("sources: %q: %w", glob, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("its source has no %s", glob)
		}
		names = append(names, found...)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return slices.ContainsFunc(u.Except, func(x string) bool { return doublestar.MatchUnvalidated(x, name) })
	}), nil
}

// direct are the options of a configuration file for compiling, as arguments, for when the file is not yet where it
// belongs.
func (v View) direct(config string) []string {
	args := []string{"-Qunused-arguments"}
	for _, a := range compiling(config) {
		args = append(args, strings.ReplaceAll(a, "<CFGDIR>/../..", filepath.Dir(v.Compiler.Dir)))
	}
	return args
}

// compiling are the options of a configuration file but for the linker's.
func compiling(config string) []string {
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(config), "\n"), func(line string) bool {
		return strings.HasPrefix(line, "#") || strings.HasPrefix(line, "-Wl,")
	})
}

// run runs the compiler by itself. What the caller's environment says to a compiler (CPATH) does not count.
func (v View) run(ctx context.Context, dir string, args []string) error {
	made := v.Compiler.compiler()
	cmd := exec.CommandContext(ctx, filepath.Join(v.Compiler.Dir, made.Bin, made.C), args...)
	cmd.Dir, cmd.Env = dir, []string{"LC_ALL=C"}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", v.Compiler.Name, err, out)
	}
	return nil
}

func (c *Composer) note(format string, args ...any) {
	if c.Note != nil {
		c.Note(fmt.Sprintf(format, args...))
	}
}
