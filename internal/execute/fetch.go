package execute

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"xbuild/internal/hint"
	"xbuild/internal/plan"
)

// A fetched is one command that brings in the dependencies of a project, for all actions that want the same.
type fetched struct {
	action *plan.Action // the first of them, whose environment it has
	step   plan.Step
	once   sync.Once
}

// sameFetch is what tells commands that are one for all platforms from others.
func sameFetch(a *plan.Action, s plan.Step) string {
	if s.Node != nil {
		return a.ID
	}
	return s.Dir + "\x00" + strings.Join(s.Command, "\x00")
}

// fetches are the commands that bring in the dependencies of actions, each distinct one once, with what each action
// adds to it.
func fetches(actions []*plan.Action) []*fetched {
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
func (f *fetched) whole() plan.Step {
	s := f.step
	s.Command = slices.Concat(s.Command, slices.DeleteFunc(slices.Clone(s.Each), func(arg string) bool { return slices.Contains(s.Command, arg) }))
	return s
}

// ahead runs the commands that an action's recipe wants to have run before the first build. Where one fails, the build
// says itself what it lacks, if it lacks anything.
func (r *runner) ahead(ctx context.Context, a *plan.Action, log *bytes.Buffer) {
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
func Fetch(ctx context.Context, p *plan.Plan, opt Options, note func(string)) error {
	opt.Jobs = 1
	r, end := newRunner(opt, "")
	defer end()
	r.whole = true
	for _, f := range fetches(p.Actions) {
		a, s := f.action, f.whole()
		fetch := r.command
		if s.Node != nil {
			fetch = r.nodeFetch
		}
		note(fmt.Sprintf("%s (%s)", s.Name, a.Target))
		var log bytes.Buffer
		if err := fetch(ctx, a, s, &log); err != nil {
			err = fmt.Errorf("target %q: %s: %w\n%s", a.Target, s.Name, err, log.String())
			for _, h := range a.Hints(log.String()) {
				err = hint.Add(err, "%s", h)
			}
			return err
		}
	}
	return nil
}
