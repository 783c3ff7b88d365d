package resolve

import (
	"slices"
	"testing"

	"xbuild/internal/archive/archivetest"
)

// TestPackagesWith: the archive's own list of files names the package that has what a tool asks for.
func TestPackagesWith(t *testing.T) {
	pkg := func(name, arch string, files ...string) archivetest.Package {
		p := archivetest.Package{Name: name, Arch: arch}
		for _, f := range files {
			p.Files = append(p.Files, archivetest.File{Name: "./" + f, Body: f})
		}
		return p
	}
	test := archivetest.New(t, archivetest.Suite{Name: "trixie", Packages: []archivetest.Package{
		pkg("libsasl2-dev", "amd64", "usr/include/sasl/sasl.h", "usr/lib/x86_64-linux-gnu/pkgconfig/libsasl2.pc", "usr/lib/x86_64-linux-gnu/libsasl2.so", "usr/lib/x86_64-linux-gnu/libsasl2.a"),
		pkg("libsasl2-2", "amd64", "usr/lib/x86_64-linux-gnu/libsasl2.so.2", "usr/share/doc/sasl/sasl.h"),
		pkg("qt6-base-dev", "amd64", "usr/lib/x86_64-linux-gnu/cmake/Qt6Core/Qt6CoreConfig.cmake", "usr/include/x86_64-linux-gnu/qt6/QtCore/QString"),
		pkg("libglib2.0-dev", "amd64", "usr/include/glib-2.0/glib.h", "usr/lib/x86_64-linux-gnu/glib-2.0/include/glibconfig.h"),
		pkg("libother-dev", "amd64", "usr/include/other/deep/er/glib.h"),
		pkg("nlohmann-json3-dev", "all", "usr/include/nlohmann/json.hpp", "usr/share/cmake/nlohmann_json/nlohmann_jsonConfig.cmake"),
		pkg("xsltproc", "amd64", "usr/bin/xsltproc", "usr/share/bash-completion/xsltproc"),
		pkg("a-dev", "amd64", "usr/include/same.h"), pkg("b-dev", "amd64", "usr/include/same.h"),
		pkg("hello", "amd64", "usr/bin/hello"),
	}})
	a, _ := open(t, test)
	for _, c := range []struct {
		name    string
		program bool
		want    []string
	}{
		{"sasl/sasl.h", false, []string{"libsasl2-dev"}},
		{"libsasl2", false, []string{"libsasl2-dev"}},
		{"sasl2", false, []string{"libsasl2-dev"}},
		{"Qt6Core", false, []string{"qt6-base-dev"}},
		{"glib.h", false, []string{"libglib2.0-dev"}},
		{"nlohmann/json.hpp", false, []string{"nlohmann-json3-dev"}},
		{"nlohmann_json", false, []string{"nlohmann-json3-dev"}},
		{"same.h", false, []string{"a-dev", "b-dev"}},
		{"xsltproc", true, []string{"xsltproc"}},
		{"xsltproc", false, nil},
		{"frobnicate", false, nil},
		{"frobnicate.h", false, nil},
	} {
		got, err := a.Debian().PackagesWith(t.Context(), "trixie", "amd64", c.name, c.program)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	// What is fetched once is there for the next process, and an archive without the list has no answer and no fault.
	if _, err := again(a).Debian().PackagesWith(t.Context(), "trixie", "riscv64", "sasl2", false); err != nil {
		t.Errorf("an architecture without a list: %v", err)
	}
}
