package engine

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/answer"
	"xbuild/internal/execute"
	"xbuild/internal/store"
)

// AnswersDir is where records lie of what calls said that found nothing to do: in the store that the environment names.
// It is known before a project is read.
func AnswersDir() (string, error) {
	dir, err := store.DefaultDir()
	return filepath.Join(dir, answer.Folder), err
}

// Keep keeps the answer to the question that a build was, where it found nothing to do and said nothing that may have
// been for this time alone. Why it could not be kept stands where the record would; the next build finds it out again,
// which is no error of this one.
func (e *Engine) Keep(ctx context.Context, q *answer.Question, b Built) {
	plain := func(r execute.Result) bool { return r.Cached && r.Err == nil && len(r.Notes) == 0 }
	notPlain := func(r execute.Result) bool { return !plain(r) }
	if len(b.Faults) > 0 || b.Err != nil || slices.ContainsFunc(b.Results, notPlain) {
		return
	}
	if dir, err := store.DefaultDir(); err != nil || dir != e.store.Dir() {
		return // another one was asked
	}
	opt := e.executeOptions(0)
	fleeting := opt.Fleeting(b.Results)
	if fleeting(e.pl.Project.Dir + "/") {
		return // inside of what another build makes and removes
	}
	tag := filepath.Join(opt.Build, "CACHEDIR.TAG")
	q.Keep(ctx, answer.Kept{
		Touch: tag,
		Mark:  e.store.Marks,
		Fleeting: func(path string) bool {
			if strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/") {
				return true // the machine's moment: how much memory there is, what runs
			}
			if path == tag {
				return true // each build sets its times
			}
			return e.store.Fleeting(path) || fleeting(path)
		},
	})
}
