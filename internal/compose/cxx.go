package compose

import (
	"context"
	"fmt"
	"maps"
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

// A BuiltCXX is a C++ library for a platform whose packages have none: a static library in a tree of its own, compiled from its source by the platform's own compiler
// at the platform's baseline. Its headers are the source's, behind the few that the library's own build would write.
type BuiltCXX struct {
	Source  Sysroot
	Library *catalog.Library
}

// WithCXX returns the sysroot with a C++ library that is built for it.
func (s Sysroot) WithCXX(source Sysroot, library *catalog.Library) Sysroot {
	s.CXX, s.NoCXX = &BuiltCXX{Source: source, Library: library}, ""
	return s
}

// cxxKey is the key of the tree of the view's C++ library: all that decides what its compiler does, and from what.
func (v View) cxxKey() string {
	c := v.Sysroot.CXX
	return key(c.Library.Name+"-"+strings.ReplaceAll(v.Platform.Name, "/", "-"), []string{v.base(v.Platform.LLVM), c.Source.Key, fmt.Sprint(*c.Library)})
}

// cxxConfig are the lines of clang's configuration that find the view's C++ library.
func (v View) cxxConfig(tree func(string) string) []string {
	c := v.Sysroot.CXX
	return slices.Concat(c.Library.Flags, []string{
		"-stdlib++-isystem" + tree(v.cxxKey()) + "/include", "-stdlib++-isystem" + tree(c.Source.Key) + "/" + c.Library.Headers, "-L" + tree(v.cxxKey()) + "/lib",
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
		ar := exec.CommandContext(ctx, v.Clang.Program("llvm-ar"), append([]string{"rcsD", filepath.Join(tmp, "lib", lib.Name+".a")}, objects...)...)
		if out, err := ar.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: llvm-ar: %w\n%s", what, err, out)
		}
		c.note("%s: compiled in %.0f s", what, time.Since(start).Seconds())
		return os.RemoveAll(filepath.Join(tmp, "obj"))
	})
	return err
}

// compileCXX compiles the files of a library into the directory obj of its tree and returns the objects, in the order of their names.
func (v View) compileCXX(ctx context.Context, lib *catalog.Library, source, tree string) ([]string, error) {
	common := slices.Concat(v.direct(v.base(v.Platform.LLVM)), []string{
		"--driver-mode=g++", "-stdlib++-isystem" + filepath.Join(tree, "include"), "-stdlib++-isystem" + filepath.Join(source, lib.Headers),
		"-ffile-prefix-map=" + source + "=/usr/" + lib.Name, "-ffile-prefix-map=" + tree + "=/usr/" + lib.Name,
	})
	obj := filepath.Join(tree, "obj")
	if err := os.Mkdir(obj, 0o755); err != nil {
		return nil, err
	}
	units := map[string][]string{} // file of the source -> its own arguments
	for _, u := range lib.Units {
		for _, glob := range u.Sources {
			found, err := doublestar.Glob(os.DirFS(source), glob, doublestar.WithFilesOnly())
			if err != nil {
				return nil, fmt.Errorf("sources: %q: %w", glob, err)
			}
			if len(found) == 0 {
				return nil, fmt.Errorf("its source has no %s", glob)
			}
			for _, name := range found {
				if !slices.ContainsFunc(u.Except, func(x string) bool { return doublestar.MatchUnvalidated(x, name) }) {
					units[name] = u.Compile
				}
			}
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU())
	var objects []string
	for _, name := range slices.Sorted(maps.Keys(units)) {
		object := filepath.Join(obj, strings.ReplaceAll(name, "/", "-")+".o")
		objects = append(objects, object)
		args := slices.Clone(common)
		for _, a := range slices.Concat(lib.Compile, units[name]) {
			args = append(args, strings.ReplaceAll(a, "{source}", source))
		}
		g.Go(func() error { return v.run(ctx, tree, append(args, "-c", filepath.Join(source, name), "-o", object)) })
	}
	return objects, g.Wait()
}

// direct are the options of a configuration file as arguments of the compiler, for when the file is not yet where it belongs.
func (v View) direct(config string) []string {
	args := []string{"-Qunused-arguments"}
	for line := range strings.Lines(config) {
		if !strings.HasPrefix(line, "#") {
			args = append(args, strings.ReplaceAll(strings.TrimSpace(line), "<CFGDIR>/../..", filepath.Dir(v.Clang.Dir)))
		}
	}
	return args
}

// run runs clang by itself. What the caller's environment says to a compiler (CPATH) does not count.
func (v View) run(ctx context.Context, dir string, args []string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(v.Clang.Dir, "usr/lib/llvm-"+v.Clang.Slot+"/bin/clang"), args...)
	cmd.Dir, cmd.Env = dir, []string{"LC_ALL=C"}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("clang: %w\n%s", err, out)
	}
	return nil
}

func (c *Composer) note(format string, args ...any) {
	if c.Note != nil {
		c.Note(fmt.Sprintf(format, args...))
	}
}
