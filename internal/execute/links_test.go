package execute

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xbuild/internal/action"
)

// TestLinks: a link among the artifacts leads to one of them; else the file is taken, under the name that was asked
// for.
func TestLinks(t *testing.T) {
	table := func(pairs ...string) (out []action.Output) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, action.Output{Dist: pairs[i], Path: pairs[i+1]})
		}
		return out
	}
	list := func(globs ...string) (out []action.Output) {
		for _, g := range globs {
			out = append(out, action.Output{Path: g})
		}
		return out
	}
	const tool = "echo 1.2 >tool-1.2; chmod 755 tool-1.2; ln -sf tool-1.2 tool"
	const library = "echo lib >libx.so.1.2; ln -sf libx.so.1.2 libx.so.1; ln -sf libx.so.1 libx.so"
	stage := []action.Output{{Stage: true}}
	for _, c := range []struct {
		name, script string
		outputs      []action.Output
		external     string
		want         []string // NAME=content, or NAME->link
		fault        string
	}{
		{"the issue's", tool, table("tool", "tool"), "", []string{"tool=1.2"}, ""},
		{"both", tool, list("tool*"), "", []string{"tool->tool-1.2", "tool-1.2=1.2"}, ""},
		{"both, elsewhere", tool, table("bin/tool", "tool", "bin/tool-1.2", "tool-1.2"), "", []string{"bin/tool->tool-1.2", "bin/tool-1.2=1.2"}, ""},
		{"both, in two places", tool, table("bin/tool", "tool", "lib/tool-1.2", "tool-1.2"), "", []string{"bin/tool=1.2", "lib/tool-1.2=1.2"}, ""},
		{"another file under the link's end", tool + "; echo other >other", table("tool", "tool", "tool-1.2", "other"), "", []string{"tool=1.2", "tool-1.2=other"}, ""},
		{"a chain", library, list("libx*"), "", []string{"libx.so->libx.so.1", "libx.so.1->libx.so.1.2", "libx.so.1.2=lib"}, ""},
		{"a chain without its end", library, list("libx.so", "libx.so.1"), "", []string{"libx.so->libx.so.1", "libx.so.1=lib"}, ""},
		{"a chain without its middle", library, list("libx.so", "libx.so.1.2"), "", []string{"libx.so=lib", "libx.so.1.2=lib"}, ""},
		{"an absolute link", "echo 1 >one; ln -sf $PWD/one two", list("one", "two"), "", []string{"one=1", "two=1"}, ""},
		{"a file of the source", "ln -sf SOURCE/input data", list("data"), "", []string{"data=one"}, ""},
		{"nowhere", "ln -sf gone tool", table("tool", "tool"), "", nil, "outputs: tool is a link to gone, which leads nowhere; let the build make it another way, or write external = [\"gone\"] in [target.hello]"},
		{"nowhere, by a glob", "echo 1 >tool-1; ln -sf gone tool", list("tool*"), "", nil, "outputs: tool is a link to gone, which leads nowhere"},
		{"in a circle", "ln -sf b a; ln -sf a b", list("a", "b"), "", nil, "a is a link to b, which leads nowhere"},
		{"outside", "ln -sf /bin/sh tool", list("tool"), "", nil, "tool is a link to /bin/sh, which leads out of the project, to a file of this machine"},
		{"outside, relative", "ln -sf ../../../../../../../../../../../../bin/sh tool", list("tool"), "", nil, "which leads out of the project"},
		{"a directory", "mkdir -p d; echo 1 >d/one; ln -sf d e; ln -sf ../e d/up; echo 2 >two", list("d/*"), "", nil, "up is a link to ../e, a directory of which nothing is among the outputs"},
		{"vouched for", "ln -sf /opt/vendor/driver.so.1 driver.so", list("driver.so"), "driver.so.1", []string{"driver.so->/opt/vendor/driver.so.1"}, ""},
		{"installed", "cd STAGE; mkdir -p usr/bin usr/lib; echo v >usr/lib/v; ln -s ../lib/v usr/bin/v; ln -s /usr/lib/v usr/bin/w; ln -s lib usr/lib64; ln -s ../lib64/v usr/bin/x; ln -s /proc/mounts usr/lib/mtab", stage, "",
			[]string{"usr/bin/v->../lib/v", "usr/bin/w->/usr/lib/v", "usr/bin/x->../lib64/v", "usr/lib/mtab->/proc/mounts", "usr/lib/v=v", "usr/lib64->lib"}, ""},
		{"installed, by a link into the build", "echo b >b; mkdir -p STAGE/bin; ln -s $PWD/b STAGE/bin/b", stage, "", nil, "bin/b is a link to "},
		{"installed, nowhere", "mkdir -p STAGE/bin; ln -s gone STAGE/bin/b", stage, "", nil, "bin/b is a link to gone, which leads nowhere"},
		{"installed, the machine's", "mkdir -p STAGE/bin; ln -s /bin/sh STAGE/bin/b", stage, "", nil, "bin/b is a link to /bin/sh, which leads nowhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			a := b.action("hello", "linux/arm64", "")
			script := strings.NewReplacer("STAGE", a.Stage, "SOURCE", a.Source).Replace("mkdir -p STAGE; " + c.script)
			a = b.action("hello", "linux/arm64", "", script)
			a.Output = c.outputs
			if c.external != "" {
				a.External = []string{c.external}
			}
			r := b.run(a)[0]
			if c.fault != "" {
				if r.Err == nil || !strings.Contains(r.Err.Error(), c.fault) {
					t.Fatalf("error %v, want %q", r.Err, c.fault)
				}
				if len(r.Artifacts) != 0 {
					t.Errorf("artifacts all the same: %v", r.Artifacts)
				}
				return
			}
			if r.Err != nil {
				t.Fatalf("%v\n%s", r.Err, r.Log)
			}
			var got []string
			filepath.WalkDir(a.Dist, func(path string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				rel, _ := filepath.Rel(a.Dist, path)
				if to, err := os.Readlink(path); err == nil {
					got = append(got, rel+"->"+to)
				} else if data, err := os.ReadFile(path); err == nil {
					got = append(got, rel+"="+strings.TrimSpace(string(data)))
				}
				return nil
			})
			if !slices.Equal(got, c.want) {
				t.Errorf("dist has %q, want %q", got, c.want)
			}
			if again := b.run(a)[0]; again.Err != nil || !again.Cached {
				t.Errorf("again: %v, cached %v", again.Err, again.Cached)
			}
		})
	}
}
