package rust

import (
	"context"
	"fmt"
	"os"

	"xbuild/internal/crates"
	"xbuild/internal/lang"
	"xbuild/internal/resolve"
)

// locked tells whether cargo has written a lock file for a source.
func locked(dir string) bool {
	_, there, err := crates.Locked(dir)
	return there || err != nil
}

// least raises what is requested of Rust to what the crates want that are locked in sources.
func least(ctx context.Context, b lang.Before, r *resolve.ToolchainRequest, dirs []string) (
	why string, unlocked []string, err error,
) {
	why = "the newest that has a standard library for each platform"
	if r.Constraint != "" {
		why = fmt.Sprintf("%s asks for %s", r.Where, r.Constraint)
	}
	least := crates.Want{Release: b.Asked.Least}
	for _, dir := range dirs {
		w, there, err := wanted(ctx, b, dir)
		if err != nil {
			return "", unlocked, err
		}
		if !there {
			unlocked = append(unlocked, dir)
		}
		if later := least.Later(w); later.Crate != "" {
			least = later
			why = fmt.Sprintf("crate %s in Cargo.lock asks for >=%s", w.Crate, w.Release)
			r.Constraint, r.Where = ">="+w.Release, "Cargo.lock: crate "+w.Crate
		}
	}
	return why, unlocked, nil
}

// wanted is the oldest release of Rust that the locked crates of a source admit, as the registries' indexes have it.
// there is false where no crates are locked yet.
func wanted(ctx context.Context, b lang.Before, dir string) (w crates.Want, there bool, err error) {
	locked, there, err := crates.Locked(dir)
	if err != nil || len(locked) == 0 {
		return crates.Want{}, there, err
	}
	sources, err := crates.ReadSources(os.Getenv, dir)
	if err != nil {
		return crates.Want{}, there, err
	}
	w, unknown, err := sources.Least(ctx, locked, func(ctx context.Context, url string) ([]byte, error) {
		return b.Get(ctx, url, maxCrateIndex)
	})
	if err != nil {
		return crates.Want{}, there, err
	}
	for _, c := range locked {
		if err := unknown[c]; err != nil {
			b.Note("which Rust %d of the crates in Cargo.lock want is not known: %s: %v", len(unknown), c, err)
			break
		}
	}
	return w, there, nil
}

// maxCrateIndex bounds a crate's file of a registry's index; those of crates with thousands of releases have a few
// megabytes.
const maxCrateIndex = 64 << 20
