package execute

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"xbuild/internal/action"
	"xbuild/internal/explain"
	"xbuild/internal/hint"
	"xbuild/internal/lang/table"
)

// A fetched is one command that brings in the dependencies of a project, for all actions that want the same.
type fetched struct {
	action *action.Action // the first of them, whose environment it has
	step   action.Step
	once   sync.Once
}

// sameFetch is what tells commands that are one for all platforms from others.
func sameFetch(a *action.Action, s action.Step) string {
	if s.Node != nil {
		return string(a.ID)
	}
	return s.Dir + "\x00" + strings.Join(s.Command, "\x00")
}

// fetches are the commands that bring in the dependencies of actions, each distinct one once, with what each action
// adds to it.
func fetches(actions []*action.Action) []*fetched {
	var out []*fetched
	for _, a := range actions {
		for _, s := range a.Fetch {
			i := slices.IndexFunc(out, func(f *fetched) bool { return sameFetch(f.action, f.step) == sameFetch(a, s) })
			if i < 0 {
				i = len(out)
				own := s
				own.Each = nil
				out = append(out, &fetched{action: a, step: own})
			}
			for _, arg := range s.Each {
				if !slices.Contains(out[i].step.Each, arg) {
					out[i].step.Each = append(out[i].step.Each, arg)
				}
			}
		}
	}
	return out
}

// whole is the command with what all actions add.
func (f *fetched) whole() action.Step {
	s := f.step
	given := func(arg string) bool { return slices.Contains(s.Command, arg) }
	s.Command = slices.Concat(s.Command, slices.DeleteFunc(slices.Clone(s.Each), given))
	return s
}

// ahead runs the commands that an action's recipe wants to have run before the first build. Where one fails, the build
// says itself what it lacks, if it lacks anything.
func (r *runner) ahead(ctx context.Context, a *action.Action, log *bytes.Buffer) {
	if r.opt.Offline {
		return
	}
	for _, s := range a.Fetch {
		if !s.Ahead {
			continue
		}
		i := slices.IndexFunc(r.fetches, func(f *fetched) bool { return sameFetch(f.action, f.step) == sameFetch(a, s) })
		if i < 0 {
			continue
		}
		f := r.fetches[i]
		f.once.Do(func() {
			// What it reads is no input of the build, and what it runs is in no artifact.
			apart := *f.action
			apart.Apart, apart.HostDir = true, ""
			var out bytes.Buffer
			if err := r.command(ctx, &apart, f.whole(), &out); err != nil && ctx.Err() == nil {
				fmt.Fprintf(log, "%sxbuild: %s: %v\n", out.String(), s.Name, err)
			}
		})
	}
}

// Fetch runs the commands that bring in the projects' own dependencies, each distinct one once.
func Fetch(ctx context.Context, p *action.Graph, opt Options, note func(string)) error {
	opt.Jobs, opt.Slots = 1, Slots{} // it waits for the network, and for no core
	r, end := newRunner(opt, "")
	defer end()
	r.whole = true
	for _, f := range fetches(p.Actions) {
		a, s := f.action, f.whole()
		fetch := r.command
		if s.Node != nil {
			fetch = func(ctx context.Context, a *action.Action, s action.Step, log *bytes.Buffer) error {
				return table.Of(a.Language).Fetch(ctx, r.lends(), a, s, log)
			}
		}
		note(fmt.Sprintf("%s (%s)", s.Name, a.Target))
		var log bytes.Buffer
		if err := fetch(ctx, a, s, &log); err != nil {
			err = fmt.Errorf("target %q: %s: %w\n%s", a.Target, s.Name, err, log.String())
			for _, h := range explain.Hints(a, log.String()) {
				err = hint.Add(fmt.Errorf("%w", err),
					"%s", h)
			}
			return err
		}
	}
	return nil
}
