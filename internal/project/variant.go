package project

import (
	"maps"
	"slices"

	"xbuild/internal/platform"
)

// For returns the target as it is built for a platform: with what its tables for the platform, and for the one that
// this is a variant of, add and replace.
func (t Target) For(pl platform.Platform) Target {
	for _, name := range slices.Backward(configNames(pl)) {
		if own, ok := t.variants[name]; ok {
			own.Platforms, own.Only = t.Platforms, t.Only
			return own
		}
	}
	return t
}

// commands are keys whose lists are a program and its arguments: they are replaced as a whole.
var commands = []string{"test", "bench"}

// common are keys that a target has one value of.
var common = []string{"recipe", "platforms", "platform"}

// variants reads the tables [target.NAME.platform."…"] of a target that is read without a fault.
func (r *reader) variants(target Target, base, tables *table) map[string]Target {
	type own struct {
		platform platform.Platform
		table    *table
	}
	var all []own
	before := len(r.report.errs)
	for _, key := range tables.keys() {
		sub := tables.sub(key, base.name[:len(base.name)-1]+".platform."+quoteKey(key)+"]")
		if sub == nil {
			continue
		}
		pl, err := platform.Parse(key)
		if err != nil {
			r.report.at(sub.pos, "%v", err)
			continue
		}
		if i := slices.IndexFunc(all, func(o own) bool { return o.platform.String() == pl.String() }); i >= 0 {
			r.report.at(sub.pos, "platform %q has two tables in [target.%s] (line %d is the other)", pl.String(), target.Name,
				all[i].table.pos.Line)
			continue
		}
		if target.Only && !slices.ContainsFunc(target.Platforms, func(q platform.Platform) bool {
			return slices.Contains(configNames(q), pl.String())
		}) {
			r.report.at(sub.pos, "[target.%s] is not built for %s, which is not among its platforms", target.Name, pl)
			continue
		}
		for _, name := range common {
			if _, given := sub.values[name]; given {
				r.report.at(sub.pos.Key(name), "%s in %s: a target has one for all platforms; write a second target with platforms = [%q]", name, sub.name, pl.String())
			}
		}
		all = append(all, own{pl, sub})
	}
	out := map[string]Target{}
	if len(r.report.errs) > before {
		return out
	}
	for _, o := range all {
		merged, tables := base, 0
		for _, name := range configNames(o.platform) {
			if i := slices.IndexFunc(all, func(o own) bool { return o.platform.String() == name }); i >= 0 {
				merged = merge(merged, all[i].table)
				tables++
			}
		}
		if tables > 1 && len(r.report.errs) > before {
			continue // what is wrong with the other is said
		}
		own := r.target(target.Name, merged)
		own.Line = target.Line
		out[o.platform.String()] = own
	}
	return out
}

// merge is a table with what another one adds and replaces: lists and tables are added to, all else is replaced.
func merge(base, own *table) *table {
	pos := base.pos.Clone()
	pos.Line, pos.Col = own.pos.Line, own.pos.Col
	out := &table{report: own.report, name: own.name, values: maps.Clone(base.values), pos: pos}
	delete(out.values, "platform")
	for _, key := range own.keys() {
		value, pos := own.values[key], own.pos.Key(key)
		switch v := value.(type) {
		case []any:
			before, ok := base.values[key].([]any)
			if !ok || slices.Contains(commands, key) {
				break
			}
			value = slices.Concat(before, v)
			pos = pos.Clone()
			pos.Nodes = slices.Concat(base.pos.Key(key).Nodes, pos.Nodes)
		case map[string]any:
			before, ok := base.values[key].(map[string]any)
			if !ok {
				break
			}
			values := maps.Clone(before)
			maps.Copy(values, v)
			value = values
			both := base.pos.Key(key).Clone()
			both.Line, both.Col = pos.Line, pos.Col
			for _, k := range pos.Nodes {
				both.Put(k)
			}
			pos = both
		}
		out.values[key] = value
		out.pos.Put(pos)
	}
	return out
}
