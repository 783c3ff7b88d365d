package project

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// everything has every form that TOML has for a key.
const everything = `# a comment [not] = "a table"
title = "x" # title2 = 1
"quoted key" = 1
'literal "key"' = 2
"tab\tkey\u00e9\x41" = 3
a.b . "c.d" = [1, 2] # dotted
text = """
[not.a.table]
key = 1 \""" still ""quoted"" """""
raw = '''
[nor.this]
'it' ''is'' '''''
inline = { x = 1, y.z = "},", "w]" = [ { deep = '#' }, { deep = 2, other = 3 } ], }
many = [
	"one", # key = "x"
	'two', [ "three" ],
	{ k = 1 },
	"""four
	five""", 1979-05-27 07:32:00,
]

[table]
  key = true
[table."sub.table"]
key = 1.5e3
[late.first]
x = 1
[late]
y = 2

[[list]]
name = "a"
[list.options]
deep = 1
[[list]]
name = "b"
[[list.nested]]
n = 1
[[list.nested]]
n = 2
`

func TestPositions(t *testing.T) {
	root := scan(everything)
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
				found = i < len(n.items)
				n = n.item(i)
			} else {
				_, found = n.keys[part]
				n = n.key(part)
			}
			if !found {
				t.Errorf("%s: no %q", c.path, part)
				break
			}
		}
		if got := fmt.Sprintf("%d:%d", n.line, n.col); found && got != c.want {
			t.Errorf("%s is at %s, want %s", c.path, got, c.want)
		}
	}
}

func TestPositionsAfterMark(t *testing.T) {
	if n := scan("\ufeffkey = 1\r\nnext = 2\r\n"); n.key("key").col != 1 || n.key("next").line != 2 {
		t.Errorf("got %+v", n.keys)
	}
}

// scan must know the keys that toml knows, no more and no fewer.
func TestPositionsAgreeWithTOML(t *testing.T) {
	agree(t, everything)
	agree(t, valid)
}

func agree(t *testing.T, text string) {
	t.Helper()
	var values map[string]any
	if _, err := toml.Decode(text, &values); err != nil {
		t.Fatal(err)
	}
	var fromTOML, fromScan []string
	listValues("", values, &fromTOML)
	listNodes("", scan(text), &fromScan)
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
	}
}

func listNodes(path string, n *node, out *[]string) {
	for _, k := range n.order {
		p := path + "." + fmt.Sprintf("%q", k)
		*out = append(*out, p)
		listNodes(p, n.keys[k], out)
	}
	for i, item := range n.items {
		*out = append(*out, fmt.Sprintf("%s[%d]", path, i))
		listNodes(fmt.Sprintf("%s[%d]", path, i), item, out)
	}
}

// Any text may be scanned; of what is TOML every key is found.
func FuzzScan(f *testing.F) {
	f.Add(everything)
	f.Add(valid)
	for _, s := range []string{"", "[", "[[", "[[a", "a.", "a=[", "a={", `a="`, `"\`, `"\u12`, `a="""`, "a='''''", "a=[}", "a={]", "a=]", "=", "a=[1,}", "'", "\x00", "[a]]\nb=1", "a=[[[[", "a.b.c={d.e=1}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root := scan(text)
		lines := strings.Count(text, "\n") + 1
		inside(t, root, lines)
		var values map[string]any
		if _, err := toml.Decode(text, &values); err == nil && !strings.HasPrefix(text, "\xff\xfe") && !strings.HasPrefix(text, "\xfe\xff") {
			agree(t, text)
		}
	})
}

func inside(t *testing.T, n *node, lines int) {
	if n.line < 1 || n.line > lines || n.col < 1 {
		t.Fatalf("position %d:%d in a text of %d lines", n.line, n.col, lines)
	}
	for _, child := range n.keys {
		inside(t, child, lines)
	}
	for _, item := range n.items {
		inside(t, item, lines)
	}
}
