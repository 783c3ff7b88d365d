package execute

import (
	"context"

	"xbuild/internal/compose"
	"xbuild/internal/lang"
	"xbuild/internal/lang/table"
	"xbuild/internal/store"
)

// Stds builds the standard libraries that a plan's actions link and that are not in the store yet.
func Stds(ctx context.Context, st *store.Store, stds []compose.BuiltStd, opt Options, note func(string)) error {
	r, end := newRunner(opt, "")
	defer end()
	b := lang.Builder{Store: st, Host: opt.Host, Offline: opt.Offline, Note: note, Run: r.command}
	for _, l := range table.Languages {
		if l.Libraries != nil {
			if err := l.Libraries(ctx, b, stds); err != nil {
				return err
			}
		}
	}
	return nil
}
