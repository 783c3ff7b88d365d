package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"xbuild/internal/action"
	"xbuild/internal/execute"
	"xbuild/internal/hint"
)

// A Failure is why a target was not built for a platform.
type Failure struct {
	Target   string
	Platform string
	Text     string
	Hints    []string // what the user can do about it
}

// A FailedError says which targets for platforms were not built.
type FailedError struct {
	Of       int // so many were asked for
	Failures []Failure
}

// Error has a line a failure, and each hint once.
func (e *FailedError) Error() string {
	var out []string
	var all hints
	for _, f := range e.Failures {
		out = append(out, fmt.Sprintf("%s for %s: %s", f.Target, f.Platform, f.Text))
		for _, h := range f.Hints {
			all.add(h, f.Platform)
		}
	}
	return fmt.Sprintf("%d of %d failed:\n%s", len(e.Failures), e.Of, strings.Join(append(out, all.lines()...), "\n"))
}

// faultsError is the error of so many targets for platforms, in which these are wrong; nil where nothing is. Where all
// are wrong in the same way, that is said once.
func faultsError(list []action.Fault, of int) error {
	if len(list) == 0 {
		return nil
	}
	same := !slices.ContainsFunc(list, func(f action.Fault) bool { return f.Err.Error() != list[0].Err.Error() })
	if len(list) == of && same {
		return list[0].Err
	}
	out := &FailedError{Of: of}
	for _, f := range list {
		out.Failures = append(out.Failures, fault(f))
	}
	return out
}

// fault is a fault of a plan with its hints apart.
func fault(f action.Fault) Failure {
	text, hints := hint.Split(f.Err)
	return Failure{Target: f.Target, Platform: f.Platform, Text: text, Hints: hints}
}

// failed are the failures of a build: what was not planned, and what did not succeed.
func failed(faults []action.Fault, results []execute.Result) []Failure {
	var out []Failure
	for _, f := range faults {
		out = append(out, fault(f))
	}
	for _, r := range results {
		if r.Err == nil || r.Action == nil {
			continue
		}
		f := Failure{Target: r.Action.Target, Platform: r.Action.OCI, Text: r.Err.Error()}
		if !errors.As(r.Err, new(*action.NeedError)) { // else there is no more to say
			f.Hints = r.Hints
		}
		out = append(out, f)
	}
	return out
}

// hints are what the user can do, each once: platforms fail alike.
type hints struct {
	alike  []string            // with no platform's name in them
	first  map[string]string   // the first of those that are alike
	others map[string][]string // the platforms of the others, where the platform is in the text
}

func (h *hints) add(text, platform string) {
	if h.first == nil {
		h.first, h.others = map[string]string{}, map[string][]string{}
	}
	key := strings.ReplaceAll(text, platform, "\x00")
	switch first, ok := h.first[key]; {
	case !ok:
		h.alike = append(h.alike, key)
		h.first[key] = text
	case first != text && !slices.Contains(h.others[key], platform):
		h.others[key] = append(h.others[key], platform)
	}
}

func (h *hints) lines() []string {
	var out []string
	for _, key := range h.alike {
		line := "hint: " + h.first[key]
		if more := h.others[key]; len(more) > 0 {
			line += " (the same for " + strings.Join(more, ", ") + ")"
		}
		out = append(out, line)
	}
	return out
}
