package npm

import (
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func integrity(content string) string {
	sum := sha512.Sum512([]byte(content))
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

func packument(versions ...string) string {
	var list []string
	for _, v := range versions {
		list = append(list, fmt.Sprintf(`%q: {"dist": {"tarball": "https://registry.example/tool/-/tool-%s.tgz", "integrity": %q}}`, v, v, integrity(v)))
	}
	return `{"name": "tool", "dist-tags": {"latest": "1.0.0"}, "versions": {` + strings.Join(list, ",") + `}}`
}

func TestPackumentChoosesTheNewest(t *testing.T) {
	releases, err := ParsePackument("tool", []byte(packument("9.0.0", "10.2.0", "10.10.0", "11.0.0-rc.1", "2.0.0")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		constraints []string
		want        string // "" for none
	}{
		{nil, "10.10.0"},
		{[]string{"^10"}, "10.10.0"},
		{[]string{"10.2.0"}, "10.2.0"},
		{[]string{"<10", ">=3"}, "9.0.0"},
		{[]string{"^10", "<10.5"}, "10.2.0"},
		{[]string{"^11"}, ""}, // a pre-release is nobody's choice
	} {
		r, ok, err := Newest(releases, c.constraints...)
		if err != nil || ok != (c.want != "") || ok && r.Version.String() != c.want {
			t.Errorf("%v: %v %v %v, want %q", c.constraints, r.Version, ok, err, c.want)
		}
	}
	r, _, _ := Newest(releases, "9.0.0")
	if r.Path != "tool/-/tool-9.0.0.tgz" {
		t.Errorf("path %q: the lock must hold no host", r.Path)
	}
	h := r.Hash()
	h.Write([]byte("9.0.0"))
	if err := h.Check(); err != nil {
		t.Error(err)
	}
	h.Write([]byte("more"))
	if err := h.Check(); !errors.Is(err, ErrMismatch) {
		t.Errorf("a tarball with other content: %v", err)
	}
	if _, _, err := Newest(releases, "not a version"); err == nil {
		t.Error("a constraint that is none passed")
	}
}

func TestPackumentFaults(t *testing.T) {
	for name, doc := range map[string]string{
		"no JSON":            `<html>`,
		"of another package": strings.Replace(packument("1.0.0"), `"name": "tool"`, `"name": "other"`, 1),
		"tarball elsewhere":  strings.Replace(packument("1.0.0"), "tool/-/tool", "evil/-/evil", 1),
		"tarball missing":    `{"name": "tool", "versions": {"1.0.0": {"dist": {"integrity": "` + integrity("x") + `"}}}}`,
	} {
		if _, err := ParsePackument("tool", []byte(doc)); !errors.Is(err, ErrDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What has no hash that could be verified is not there at all.
	releases, err := ParsePackument("tool", []byte(`{"name": "tool", "versions": {"1.0.0": {"dist": {"tarball": "https://h/tool/-/tool-1.0.0.tgz", "shasum": "00"}}}}`))
	if err != nil || len(releases) != 0 {
		t.Errorf("a release with a SHA-1 alone: %v %v", releases, err)
	}
}

func TestParseRC(t *testing.T) {
	env := map[string]string{"TOKEN": "s3cret"}
	values, err := ParseRC("; a comment\n# another\nregistry = \"https://npm.example/\"\n//npm.example/:_authToken=${TOKEN}\nlist[]=1\nbare = yes ; why\nunset=${NOBODY}\nempty=${NOBODY?}\n[section]\nregistry=https://wrong.example/\n",
		func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"registry": "https://npm.example/", "//npm.example/:_authToken": "s3cret", "bare": "yes", "unset": "${NOBODY}", "empty": ""} {
		if values[key] != want {
			t.Errorf("%s = %q, want %q", key, values[key], want)
		}
	}
}

func TestConfigOrder(t *testing.T) {
	home, project := t.TempDir(), t.TempDir()
	write := func(dir, text string) {
		if err := os.WriteFile(filepath.Join(dir, ".npmrc"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"HOME": home}
	getenv := func(name string) string { return env[name] }
	registry := func() string {
		t.Helper()
		c, err := ReadConfig(getenv, project)
		if err != nil {
			t.Fatal(err)
		}
		return c.Registry
	}
	if got := registry(); got != "" {
		t.Errorf("nothing is configured: %q", got)
	}
	write(home, "registry=https://user.example/npm/\n//user.example/npm/:_authToken=abc\n//user.example/:username=joe\n//user.example/:_password=cHc=\n")
	if got := registry(); got != "https://user.example/npm" {
		t.Errorf("the user's .npmrc: %q", got)
	}
	write(project, "registry=https://project.example")
	if got := registry(); got != "https://project.example" {
		t.Errorf("the project's .npmrc comes first: %q", got)
	}
	env["NPM_CONFIG_REGISTRY"] = "https://env.example/"
	if got := registry(); got != "https://env.example" {
		t.Errorf("the environment comes first: %q", got)
	}
	c, err := ReadConfig(getenv, project)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{
		"https://user.example/npm/tool":  "Bearer abc",
		"https://user.example/other":     "Basic am9lOnB3",
		"https://user.example.org/npm/x": "",
		"https://env.example/npm/tool":   "",
	} {
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Authorization(u); got != want {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
	env["NPM_CONFIG_REGISTRY"] = "ftp://env.example/"
	if _, err := ReadConfig(getenv, project); err == nil {
		t.Error("a registry that cannot be fetched from passed")
	}
}

func FuzzParsePackument(f *testing.F) {
	f.Add([]byte(packument("1.0.0", "2.0.0-rc.1")))
	f.Add([]byte(`{"name":"tool","versions":{"1.0.0":{"dist":{"tarball":"x","integrity":"sha512-AA=="}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		releases, err := ParsePackument("tool", data)
		if err != nil {
			return
		}
		for _, r := range releases {
			if !strings.HasPrefix(r.Path, "tool/-/tool-") || strings.Contains(r.Path, "..") || len(r.SHA512) != sha512.Size {
				t.Errorf("%+v", r)
			}
		}
	})
}

func FuzzParseRC(f *testing.F) {
	f.Add("registry=https://npm.example/\n//npm.example/:_authToken=${TOKEN}\n")
	f.Add("a[]=b\n[s]\n\"k\" = 'v' # c\n${A?}=${${B}}")
	f.Fuzz(func(t *testing.T, text string) {
		values, err := ParseRC(text, func(string) string { return "value" })
		if err != nil {
			return
		}
		for key, header := range authorization(values) {
			if !strings.HasPrefix(key, "//") || !strings.HasSuffix(key, "/") || header == "" {
				t.Errorf("%q: %q", key, header)
			}
		}
	})
}
