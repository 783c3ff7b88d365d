package project

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestHostPackages: those of a platform add to those of [sysroot]; a target has its own, and no libraries.
func TestHostPackages(t *testing.T) {
	text := `[sysroot]
host_packages = ["libglib2.0-dev-bin"]
[platform."linux/arm64"]
host_packages = ["nettle-dev", "libglib2.0-dev-bin"]
[target.hello]
recipe = "cc"
sources = ["*.c"]
host_packages = ["xsltproc"]
`
	p, err := Load(filepath.Join(folder(t, text), FileName), schema)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"linux/arm64":   {"libglib2.0-dev-bin", "nettle-dev"},
		"linux/riscv64": {"libglib2.0-dev-bin"},
	} {
		if got := p.Config(mustParse(t, name)).Sysroot.HostPackages; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := p.Targets[0].HostPackages; !slices.Equal(got, []string{"xsltproc"}) {
		t.Errorf("of the target: %q", got)
	}
	for list, want := range map[string]string{
		`["Xslt Proc"]`:  `xbuild.toml:8: package "Xslt Proc" in [target.hello] is no name of a Debian package (such as "libglib2.0-dev-bin")`,
		`["nettle-dev"]`: `xbuild.toml:8: host_packages in [target.hello]: "nettle-dev" is a library, with which programs for the host are linked: name it in host_packages of [sysroot]`,
	} {
		_, err := Load(filepath.Join(folder(t, strings.Replace(text, `["xsltproc"]`, list, 1)), FileName), schema)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("host_packages = %s: error %v, want %s", list, err, want)
		}
	}
}
