package tomlfile

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// everything has every form that TOML has for a key.
//
//go:embed testdata/everything.toml
var everything string

func TestPositions(t *testing.T) {
	root := must(t, everything)
	for _, c := range []struct{ path, want string }{
		{"title", "2:1"}, {"quoted key", "3:1"}, {`literal "key"`, "4:1"}, {"tab\tkeyéA", "5:1"},
		{"a", "6:1"}, {"a/b", "6:3"}, {"a/b/c.d", "6:7"}, {"a/b/c.d/#1", "6:19"},
		{"text", "7:1"}, {"raw", "10:1"}, {"inline/x", "13:12"}, {"inline/y/z", "13:21"}, {"inline/w]/#1/other", "13:68"},
		{"many", "14:1"}, {"many/#0", "15:2"}, {"many/#1", "16:2"}, {"many/#2/#0", "16:11"}, {"many/#3/k", "17:4"}, {"many/#4", "18:2"}, {"many/#5", "19:11"},
		{"table", "22:2"}, {"table/key", "23:3"}, {"table/sub.table", "24:8"}, {"table/sub.table/key", "25:1"},
		{"late", "28:2"}, {"late/first", "26:7"}, {"late/y", "29:1"},
		{"list/#0/name", "32:1"}, {"list/#0/options/deep", "34:1"}, {"list/#1", "35:3"}, {"list/#1/name", "36:1"}, {"list/#1/nested/#1/n", "40:1"},
	} {
		n, found := root, true
		for _, part := range strings.Split(c.path, "/") {
			var i int
			if _, err := fmt.Sscanf(part, "#%d", &i); err == nil {
				found = n.Kind == List && i < len(n.Nodes)
				n = n.Item(i)
			} else {
				found = n.Get(part) != nil
				n = n.Key(part)
			}
			if !found {
				t.Errorf("%s: no %q", c.path, part)
				break
			}
		}
		if got := fmt.Sprintf("%d:%d", n.Line, n.Col); found && got != c.want {
			t.Errorf("%s is at %s, want %s", c.path, got, c.want)
		}
	}
}

func TestPositionsAfterMark(t *testing.T) {
	if n := must(t, "\ufeffkey = 1\r\nnext = 2\r\n"); n.Key("key").Col != 1 || n.Key("next").Line != 2 {
		t.Errorf("got %+v", n.Nodes)
	}
}

// scan must know the keys that toml knows, no more and no fewer.
func TestPositionsAgreeWithTOML(t *testing.T) {
	agree(t, everything)
	for name, text := range definitions(t) {
		t.Run(name, func(t *testing.T) { agree(t, text) })
	}
}

// definitions are the TOML files of the repository.
func definitions(tb testing.TB) map[string]string {
	out := map[string]string{}
	for _, glob := range []string{"../../*.toml", "../../*/*.toml", "../*/*.toml"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				tb.Fatal(err)
			}
			out[f] = string(text)
		}
	}
	if len(out) < 10 {
		tb.Fatalf("only %d files were found", len(out))
	}
	return out
}

func must(t *testing.T, text string) *Node {
	t.Helper()
	n, err := Scan(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func agree(t *testing.T, text string) {
	t.Helper()
	var values map[string]any
	if _, err := toml.Decode(text, &values); err != nil {
		t.Fatal(err)
	}
	var fromTOML, fromScan []string
	listValues("", values, &fromTOML)
	listNodes("", must(t, text), &fromScan)
	slices.Sort(fromTOML)
	slices.Sort(fromScan)
	if !slices.Equal(fromTOML, fromScan) {
		t.Errorf("toml has the keys\n%q\nscan found\n%q\nin\n%q", fromTOML, fromScan, text)
	}
}

func listValues(path string, v any, out *[]string) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			p := path + "." + fmt.Sprintf("%q", k)
			*out = append(*out, p)
			listValues(p, v[k], out)
		}
	case []map[string]any:
		for i := range v {
			*out = append(*out, fmt.Sprintf("%s[%d]", path, i))
			listValues(fmt.Sprintf("%s[%d]", path, i), v[i], out)
		}
	case []any:
		for i := range v {
			*out = append(*out, fmt.Sprintf("%s[%d]", path, i))
			listValues(fmt.Sprintf("%s[%d]", path, i), v[i], out)
		}
	case string, bool:
		*out = append(*out, fmt.Sprintf("%s = %v", path, v))
	}
}

func listNodes(path string, n *Node, out *[]string) {
	if n.Kind == String || n.Kind == Bool {
		*out = append(*out, fmt.Sprintf("%s = %s", path, n.Text))
	}
	for i, k := range n.Nodes {
		p := path + "." + fmt.Sprintf("%q", k.Name)
		if n.Kind == List {
			p = fmt.Sprintf("%s[%d]", path, i)
		}
		*out = append(*out, p)
		listNodes(p, k, out)
	}
}

// Any text may be scanned; of what is TOML every key is found, with the value that decoding gives it, and what is said to
// stand twice is no TOML.
func FuzzScan(f *testing.F) {
	f.Add(everything)
	for _, text := range definitions(f) {
		if len(text) < 4000 {
			f.Add(text)
		}
	}
	for _, s := range []string{"", "[", "[[", "[[a", "a.", "a=[", "a={", `a="`, `"\`, `"\u12`, `a="""`, "a='''''", "a=[}", "a={]", "a=]", "=", "a=[1,}", "'", "\x00", "[a]]\nb=1", "a=[[[[", "a.b.c={d.e=1}",
		"a=1\na=2", "[a]\n[a]", "a=[[1],#[\n[#\n#]\n[2]],[]]", "[a.b]\n[a]", "[[a]]\n[a]", "a=\"\r\n", "\ufeffa=1"} {
		f.Add(s)
	}
	f.Fuzz(hold)
}

// TestMutations scans texts that are a few tokens away from TOML.
func TestMutations(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	seeds := []string{everything}
	for _, text := range definitions(t) {
		if len(text) < 3000 {
			seeds = append(seeds, text)
		}
	}
	slices.Sort(seeds)
	tokens := []string{"[", "]", "{", "}", "=", ".", `"`, "'", "\n", "#", `"""`, "'''", `\`, "a", "1", ",", "[[", "]]", "true", " ", "\r\n", "\r", "\x00", "é", "\xff", "0x", "-", "1979-05-27", "inf", "+", "_", "e"}
	for range 3000 {
		text := seeds[random.IntN(len(seeds))]
		if random.IntN(2) == 0 {
			from := random.IntN(len(text))
			text = text[from:min(len(text), from+random.IntN(100))]
		}
		for range 1 + random.IntN(3) {
			from := random.IntN(len(text) + 1)
			to := min(len(text), from+random.IntN(3))
			text = text[:from] + tokens[random.IntN(len(tokens))] + text[to:]
		}
		hold(t, text)
	}
}

// hold holds what Scan says of a text against what BurntSushi/toml says.
func hold(t *testing.T, text string) {
	root, err := Scan(text)
	var nested *NestedError
	if errors.As(err, &nested) {
		if nested.Line < 1 || nested.Line > strings.Count(text, "\n")+1 {
			t.Fatalf("line %d", nested.Line)
		}
		return // decoding it may take minutes
	}
	if err == nil {
		inside(t, root, strings.Count(text, "\n")+1)
	}
	if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
		return // UTF-16, which BurntSushi/toml reads
	}
	var values map[string]any
	_, _, decodeErr := Decode(text, &values)
	if _, err := toml.Decode(text, &values); (err == nil) != (decodeErr == nil) {
		t.Fatalf("toml says %v, Decode %v of\n%q", err, decodeErr, text)
	}
	if decodeErr == nil {
		agree(t, text)
		if twice(root) {
			t.Fatalf("TOML, and something stands twice in\n%q", text)
		}
	}
}

func twice(n *Node) bool {
	return n.Twice || slices.ContainsFunc(n.Nodes, twice)
}

func inside(t *testing.T, n *Node, lines int) {
	if n.Line < 1 || n.Line > lines || n.Col < 1 {
		t.Fatalf("position %d:%d in a text of %d lines", n.Line, n.Col, lines)
	}
	for _, child := range n.Nodes {
		inside(t, child, lines)
	}
}
