package execute

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/hint"
	"xbuild/internal/hosttools"
	"xbuild/internal/plan"
	"xbuild/internal/store"
)

// Stds builds the standard libraries that a plan's actions link and that are not in the store yet. What they are built
// by must be there. No network is used but for the crates that a source comes without.
func Stds(ctx context.Context, st *store.Store, stds []compose.BuiltStd, opt Options, note func(string)) error {
	r, end := newRunner(opt, "")
	defer end()
	for _, b := range stds {
		if err := r.crates(ctx, st, b, note); err != nil {
			return err
		}
		_, err := st.Tree(ctx, b.Key, func(tmp, _ string) error {
			note(fmt.Sprintf("Rust's standard library for %s: building it from source, once", b.Target))
			start := time.Now()
			if err := r.std(ctx, st, b, tmp); err != nil {
				return fmt.Errorf("the standard library of Rust for %s: %w", b.Target, err)
			}
			note(fmt.Sprintf("Rust's standard library for %s: built in %.0f s", b.Target, time.Since(start).Seconds()))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// crates fetches the crates that a library's source stands on, where it has them not itself.
func (r *runner) crates(ctx context.Context, st *store.Store, b compose.BuiltStd, note func(string)) error {
	if b.CratesKey == "" {
		return nil
	}
	_, err := st.Tree(ctx, b.CratesKey, func(tmp, _ string) error {
		note("Rust's standard library " + b.Builder.Rust.Version + ": fetching the crates that it stands on")
		e, command := env.ForCrates(b, tmp)
		var log bytes.Buffer
		a := &plan.Action{Env: e, Path: []string{b.Builder.Bin(), b.Host.Bin()}}
		err := r.command(ctx, a, plan.Step{Name: "cargo vendor", Dir: "/", Command: command}, &log)
		if err != nil && r.opt.Offline {
			return hint.Add(fmt.Errorf("crates of the standard library of Rust for %s: %w\n%s",
				b.Target, err, log.String()),
				"run \"xbuild fetch\" while there is a network")
		}
		if err != nil {
			return fmt.Errorf("crates of the standard library of Rust for %s: %w\n%s", b.Target, err, log.String())
		}
		return nil
	})
	return err
}

func (r *runner) std(ctx context.Context, st *store.Store, b compose.BuiltStd, tree string) error {
	work, done, err := st.TempDir(ctx, "std")
	if err != nil {
		return err
	}
	defer done()
	e, command, made := env.ForStd(b, work, plan.Jobs)
	var log bytes.Buffer
	// cargo reads .cargo/config.toml in the directories above the one that it is started in: / has none of a user's.
	a := &plan.Action{Env: e, Path: []string{b.Builder.Bin(), b.Host.Bin()}, HostDir: filepath.Join(work, "host")}
	a.Seen, _ = r.opt.Host.Visible(nil)
	if err := hosttools.Link(a.HostDir, a.Seen); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, env.StdWrapper), []byte(env.StdScript), 0o755); err != nil {
		return err
	}
	if b.View.Key != "" {
		a.Path = append(a.Path, b.View.Bin()) // rustc calls <triplet>-dlltool for the libraries of Windows that the standard library imports from
	}
	if err := r.command(ctx, a, plan.Step{Name: "cargo build", Dir: "/", Command: command}, &log); err != nil {
		return fmt.Errorf("%w\n%s", err, log.String())
	}
	to := b.Libraries(tree)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range b.View.Sysroot.RustObjects {
		if err := r.command(ctx, a, plan.Step{Name: "rustc " + name, Dir: "/", Command: env.StdObject(b, name, to)}, &log); err != nil {
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
