package execute

import (
	"context"

	"xbuild/internal/compose"
	"xbuild/internal/lang/rust"
	"xbuild/internal/store"
)

// Stds builds the standard libraries that a plan's actions link and that are not in the store yet.
func Stds(ctx context.Context, st *store.Store, stds []compose.BuiltStd, opt Options, note func(string)) error {
	r, end := newRunner(opt, "")
	defer end()
	l := rust.Library{Store: st, Host: opt.Host, Offline: opt.Offline, Note: note, Run: r.command}
	return l.Build(ctx, stds)
}
