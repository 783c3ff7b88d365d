package rust

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"xbuild/internal/action"
	"xbuild/internal/compose"
	"xbuild/internal/hint"
	"xbuild/internal/hosttools"
	"xbuild/internal/lang"
)

// A library is what standard libraries are built with.
type library struct{ lang.Builder }

// libraries builds the standard libraries that a plan's actions link and that are not in the store yet. What they are
// built by must be there. No network is used but for the crates that a source comes without.
func libraries(ctx context.Context, with lang.Builder, stds []compose.BuiltStd) error {
	l, st := library{with}, with.Store
	for _, b := range stds {
		if err := l.crates(ctx, b); err != nil {
			return err
		}
		_, err := st.Tree(ctx, b.Key, func(tmp, _ string) error {
			l.Note(fmt.Sprintf("Rust's standard library for %s: building it from source, once", b.Target))
			start := time.Now()
			if err := l.std(ctx, b, tmp); err != nil {
				return fmt.Errorf("the standard library of Rust for %s: %w", b.Target, err)
			}
			l.Note(fmt.Sprintf("Rust's standard library for %s: built in %.0f s", b.Target, time.Since(start).Seconds()))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// crates fetches the crates that a library's source stands on, where it has them not itself.
func (l library) crates(ctx context.Context, b compose.BuiltStd) error {
	if b.CratesKey == "" {
		return nil
	}
	_, err := l.Store.Tree(ctx, b.CratesKey, func(tmp, _ string) error {
		l.Note("Rust's standard library " + b.Builder.Rust.Version + ": fetching the crates that it stands on")
		e, command := ForCrates(b, tmp)
		var log bytes.Buffer
		a := &action.Action{Env: e, Path: []string{b.Builder.Bin(), b.Host.Bin()}}
		err := l.Run(ctx, a, action.Step{Name: "cargo vendor", Dir: "/", Command: command}, &log)
		if err != nil && l.Offline {
			return hint.Add(fmt.Errorf("crates of the standard library of Rust for %s: %w\n%s", b.Target, err, log.String()),
				"run \"xbuild fetch\" while there is a network")
		}
		if err != nil {
			return fmt.Errorf("crates of the standard library of Rust for %s: %w\n%s", b.Target, err, log.String())
		}
		return nil
	})
	return err
}

func (l library) std(ctx context.Context, b compose.BuiltStd, tree string) error {
	work, done, err := l.Store.TempDir(ctx, "std")
	if err != nil {
		return err
	}
	defer done()
	e, command, made := ForStd(b, work, action.Jobs)
	var log bytes.Buffer
	// cargo reads .cargo/config.toml in the directories above the one that it is started in: / has none of a user's.
	a := &action.Action{Env: e, Path: []string{b.Builder.Bin(), b.Host.Bin()}, HostDir: filepath.Join(work, "host")}
	a.Seen, _ = l.Host.Visible(nil)
	if err := hosttools.Link(a.HostDir, a.Seen); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, StdWrapper), []byte(StdScript), 0o755); err != nil {
		return err
	}
	if b.View.Key != "" {
		// rustc calls <triplet>-dlltool for the libraries of Windows that the standard library imports from
		a.Path = append(a.Path, b.View.Bin())
	}
	if err := l.Run(ctx, a, action.Step{Name: "cargo build", Dir: "/", Command: command}, &log); err != nil {
		return fmt.Errorf("%w\n%s", err, log.String())
	}
	to := b.Libraries(tree)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range b.View.Sysroot.RustObjects {
		if err := l.Run(ctx, a, action.Step{Name: "rustc " + name, Dir: "/", Command: StdObject(b, name, to)},
			&log); err != nil {
			return fmt.Errorf("%w\n%s", err, log.String())
		}
	}
	libraries, err := filepath.Glob(filepath.Join(made, "lib*.rlib"))
	if err != nil {
		return err
	}
	found := false
	for _, from := range libraries {
		name := filepath.Base(from)
		if strings.HasPrefix(name, "lib"+compose.StdCrate+"-") {
			continue
		}
		found = found || strings.HasPrefix(name, "libstd-")
		if err := os.Rename(from, filepath.Join(to, name)); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("cargo made no libstd-*.rlib in %s\n%s", made, log.String())
	}
	return nil
}
