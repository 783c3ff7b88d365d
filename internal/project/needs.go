package project

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"xbuild/internal/platform"
)

// A Need is another target that is built before one that needs it.
type Need struct {
	Target string
	Host   bool // it is built for the host, and its programs are on PATH; else for the same platform
	Line   int
}

// onHost is what platform says in a need of a program that runs while the target is built.
const onHost = "host"

// needs are names of targets, or tables of a target and platform = "host".
func (r *reader) needs(t *table) []Need {
	v, ok := t.take("needs")
	if !ok {
		return nil
	}
	pos := t.pos.Key("needs")
	var list []any
	switch v := v.(type) {
	case []any:
		list = v
	case []map[string]any: // [[target.NAME.needs]]
		for _, m := range v {
			list = append(list, m)
		}
	default:
		t.wrong("needs", pos, "a list of targets", v)
		return nil
	}
	var out []Need
	for i, v := range list {
		at := pos.Item(i)
		need := Need{Line: at.Line}
		switch v := v.(type) {
		case string:
			need.Target = v
		case map[string]any:
			sub := &table{report: t.report, name: "needs in " + t.name, values: v, pos: at}
			need.Target = sub.string("target", "")
			if _, given := v["target"]; !given {
				r.report.at(at, `needs in %s: a table names a target: { target = "gen", platform = "host" }`, t.name)
			}
			need.Host = sub.choice("platform", "", []string{onHost}) == onHost
			sub.end("want")
		default:
			t.wrong("needs", at, "names of targets, or tables", v)
			continue
		}
		if slices.ContainsFunc(out, func(n Need) bool { return n.Target == need.Target && n.Host == need.Host }) {
			continue // a platform's own table says it again
		}
		out = append(out, need)
	}
	return out
}

func (t Target) builtFor(pl platform.Platform) bool {
	return slices.ContainsFunc(t.Platforms, func(q platform.Platform) bool { return q.String() == pl.String() })
}

// directories are folders below or beside the source, relative to it.
func (r *reader) directories(t *table, key string) []string {
	list := t.elements(key)
	for _, e := range list {
		if e.string == "" || filepath.IsAbs(e.string) || hasNUL(e.string) {
			r.report.at(e.pos, "%s in %s: %q must be a folder, relative to source", key, t.name, e.string)
		}
	}
	return plain(list)
}

// A step is a target for a platform, or for the host, on a way through needs.
type step struct {
	target string
	pl     platform.Platform
	host   bool
}

// needed reports needs of targets that are not there, that are not built for the platform, or that need each other.
func (r *reader) needed() {
	byName := map[string]Target{}
	var names []string
	for _, t := range r.project.Targets {
		byName[t.Name] = t
		names = append(names, t.Name)
	}
	said := map[string]bool{}
	at := func(n Need, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if key := fmt.Sprint(n.Line, text); !said[key] {
			said[key] = true
			r.report.errs = append(r.report.errs, &Error{File: r.report.file, Line: n.Line, Col: 1, Message: text})
		}
	}
	var walk func(s step, way []step)
	done := map[string]bool{}
	walk = func(s step, way []step) {
		key := fmt.Sprint(s.target, " ", s.host)
		if !s.host {
			key += s.pl.String()
		}
		if done[key] {
			return
		}
		way = append(way, s)
		t := byName[s.target].For(s.pl)
		for _, n := range t.Needs {
			next, ok := byName[n.Target]
			to := step{n.Target, s.pl, s.host || n.Host}
			if to.host {
				to.pl = platform.Host()
			}
			if n.Target == "" {
				continue // the table has no name
			}
			switch i := slices.IndexFunc(way, func(w step) bool { return w.target == to.target && w.host == to.host }); {
			case !ok:
				at(n, "needs in [target.%s]: there is no target %q%s", t.Name, n.Target, meant(n.Target, names, "there are"))
			case i >= 0:
				var circle []string
				for _, w := range way[i:] {
					circle = append(circle, w.target)
				}
				at(n, "needs in [target.%s]: targets need each other in a circle: %s",
					t.Name, strings.Join(append(circle, n.Target), " -> "))
			case !to.host && !next.builtFor(s.pl):
				at(n, "needs in [target.%s]: target %q is not built for %s: its platforms (line %d) lack it",
					t.Name, n.Target, s.pl, next.Line)
			default:
				walk(to, way)
			}
		}
		done[key] = true
	}
	for _, t := range r.project.Targets {
		for _, pl := range t.Platforms {
			walk(step{t.Name, pl, false}, nil)
		}
	}
}
