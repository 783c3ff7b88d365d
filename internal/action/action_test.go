package action

import (
	"reflect"
	"strings"
	"testing"
)

func TestRoots(t *testing.T) {
	roots := NewRoots(Root{RootBuild, "/src/p/.xbuild"}, Root{RootProject, "/src/p"}, Root{RootHome, "/src"}, Root{RootStore, "/"}, Root{RootSource, "/src/p"}, Root{RootDist, ""})
	for text, want := range map[string]string{
		"/src/p/a.c":                  "{project}/a.c",
		"/src/p":                      "{project}",
		"/src/p/.xbuild/x":            "{build}/x",
		"/src/p2/a.c":                 "{home}/p2/a.c",
		"/src/p.c":                    "{home}/p.c",
		"-I/src/p/include":            "-I{project}/include",
		"-ffile-prefix-map=/src/p=.":  "-ffile-prefix-map={project}=.",
		"lib/src/p/a.c":               "lib/src/p/a.c",
		"/usr/src/p/a.c":              "/usr/src/p/a.c",
		"a:/src/p/x:/src/y":           "a:{project}/x:{home}/y",
		`{"a":"/src/p","b":"/srcs"}`:  `{"a":"{project}","b":"/srcs"}`,
		"@/src/p/args":                "@{project}/args",
		"/src/p/.xbuild/../a /src/p/": "{build}/../a {project}/",
		"":                            "",
		"=/x/../../src/p/y=/z":        "=/x/..{project}/y=/z",
	} {
		if got := roots.SpellAll(text); got != want {
			t.Errorf("SpellAll(%q) = %q, want %q", text, got, want)
		}
	}
	for _, path := range []string{"/src/p/a.c", "/src/p", "/usr/include/x.h", "/src/q", "/src/p/.xbuild/a"} {
		spelled, _ := roots.Spell(path)
		if back, ok := roots.Resolve(spelled); !ok || back != path {
			t.Errorf("%s -> %s -> %s, %v", path, spelled, back, ok)
		}
	}
	if _, ok := roots.Resolve("{dist}/x"); ok {
		t.Error("a root that is not known has a directory")
	}
}

// TestEveryFieldCounts: each field of an action and of a step changes the ID, or is one of those that cannot change what
// is built.
func TestEveryFieldCounts(t *testing.T) {
	// Why each does not count.
	not := map[string]string{
		"Action.ID":         "it is the hash itself",
		"Action.Platform":   "OCI has its name; compilers, flags and libraries stand in the commands",
		"Action.Language":   "Recipe says it",
		"Action.Top":        "Root, Source and Build say it",
		"Action.DistDir":    "where the result goes",
		"Action.Dist":       "where the result goes",
		"Action.Rooted":     "Root says it",
		"Action.Apart":      "of xbuild's own questions, which have no result",
		"Action.State":      "where xbuild's notes are",
		"Action.Test":       "what is done with the result",
		"Action.Equal":      "what is done with the result",
		"Action.Bench":      "what is done with the result",
		"Action.Baseline":   "the flags in the commands say it",
		"Action.Readers":    "how changes are seen",
		"Action.Forgetful":  "how changes are seen",
		"Action.Precise":    "how results are kept",
		"Action.Reread":     "how changes are seen",
		"Action.HostPart":   "where cargo keeps a part of its work",
		"Action.Strict":     "what is told of a build that fails",
		"Action.Explain":    "what is told of a build that fails",
		"Action.PkgConfig":  "names that stand in the commands",
		"Action.Seen":       "HostTools is its hash",
		"Action.HostDir":    "HostTools is its hash",
		"Action.Missing":    "the error of an action that is not built",
		"Action.Up":         "Sysroot says it",
		"Action.Set":        "the commands name what they use of it",
		"Action.Prefix":     "where the result is laid out",
		"Action.Linked":     "where the result is laid out; kept results have it in their key",
		"Action.Started":    "where the result is laid out; kept results have it in their key",
		"Action.Headers":    "laid out beside the result; kept results have it in their key",
		"Action.LinkWith":   "laid out beside the result; kept results have it in their key",
		"Action.LinkFile":   "made from what it needs, which is an input",
		"Action.Host":       "OCI says it",
		"Action.Asked":      "who wants it",
		"Action.Jobservers": "how many jobs run at once",
		"Action.Roots":      "by these paths are told, so that they do not count",
		"Step.Group":        "the order of the steps, which stands in their list",
		"Step.Anew":         "what forces a build from nothing",
		"Step.Results":      "how changes are seen",
		"Step.Forget":       "how changes are seen",
		"Step.Configures":   "what is told of a build that fails",
		"Step.Ahead":        "when it is fetched",
		"Step.Jobserver":    "how many jobs run at once",
	}
	known := map[string]bool{}
	for _, kind := range []struct {
		of     reflect.Type
		action func(field int) *Action
	}{
		{reflect.TypeFor[Action](), func(i int) *Action {
			a := &Action{}
			fill(reflect.ValueOf(a).Elem().Field(i))
			return a
		}},
		{reflect.TypeFor[Step](), func(i int) *Action {
			a := &Action{Steps: make([]Step, 1)}
			fill(reflect.ValueOf(&a.Steps[0]).Elem().Field(i))
			return a
		}},
	} {
		base := (&Action{}).Hash()
		if kind.of.Name() == "Step" {
			base = (&Action{Steps: make([]Step, 1)}).Hash()
		}
		for i := range kind.of.NumField() {
			name := kind.of.Name() + "." + kind.of.Field(i).Name
			known[name] = true
			counts := kind.action(i).Hash() != base
			if why := not[name]; counts == (why != "") {
				t.Errorf("%s: counts %v, and the list says %q", name, counts, why)
			}
		}
	}
	for name := range not {
		if !known[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// fill gives a value that is not the zero value, as deep as it takes for JSON to show it.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		elem := reflect.New(v.Type().Elem()).Elem()
		if elem.Kind() == reflect.String || elem.Kind() == reflect.Slice {
			fill(elem)
		}
		key := reflect.New(v.Type().Key()).Elem()
		fill(key)
		v.SetMapIndex(key, elem)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		if e := v.Elem(); e.Kind() == reflect.Bool {
			fill(e)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && strings.Contains("string bool slice", v.Field(i).Kind().String()) {
				fill(v.Field(i))
				return
			}
		}
	}
}
