package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/catalog"
)

// TestMentions: functions that take or return objects of the C++ library, and what of it a library has for itself.
func TestMentions(t *testing.T) {
	for symbol, want := range map[string]bool{
		"_ZN4Json5ValueC1ERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE":  true, // a constructor
		"_ZN5boost10filesystem6detail6statusERKNS0_4pathEPNS_6system10error_codeE": false,
		"_Z3useRKSt6vectorIiSaIiEE":                          true,
		"_ZN4Json5ValuelsERSo":                               true,  // to a stream
		"_ZNSt6vectorIN4Json5ValueESaIS1_EE9push_backERKS1_": false, // a vector's own
		"_ZNKSt6vectorIiSaIiEE4sizeEv":                       false,
		"_ZSt4moveIRiEONSt16remove_referenceIT_E4typeEOS2_":  false,
		"_ZTISt9exception":                                   false,
		"_ZTSN4Json9ExceptionE":                              false,
		"_ZN9__gnu_cxx12__to_xstringINSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEcEET_PFiPT0_mPKS8_zEmS": false,
		"deflate":     false,
		"_Z3sumii":    false,
		"St6vectorIi": false,
	} {
		if got := mentions(symbol); got != want {
			t.Errorf("%s: %v, want %v", symbol, got, want)
		}
	}
}

// TestCXXLink: what the linker is given beside the C++ library, and which libraries it is not given.
func TestCXXLink(t *testing.T) {
	dir := t.TempDir()
	compiler := &catalog.Toolchain{Compiler: &catalog.Compiler{Linker: "ld.lld"}}
	v := View{Compiler: Toolchain{Key: "clang", def: compiler}, Sysroot: Sysroot{Key: "sysroot", stdlib: "libstdc++",
		CXX: &BuiltCXX{Library: &catalog.Library{Name: "libc++", Link: []string{"-lpthread"}}}}}
	put := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put("view/bin/ld", v.stripper("ld.lld"))
	put("view/c++.sh", v.cxxLink(map[string]string{"libboost_filesystem": "package libboost-filesystem-dev"}))
	put("clang/programs/ld.lld", "#!/bin/sh\necho ld.lld \"$@\"\n")
	put("own/libboost_filesystem.a", "")
	put("words", "\"a.o\" \"-lc++\" \"-lboost_filesystem\" ")
	put("static", "\"-static\"\n\"-lc++\" ")
	put("c", "\"a.o\" \"-lboost_filesystem\" ")
	const refused = "ld.lld: error: libboost_filesystem of package libboost-filesystem-dev speaks libstdc++, and this link is with libc++"
	for call, want := range map[string]string{
		"a.o -lc":                         "ld.lld a.o -lc",
		"a.o -lboost_filesystem":          "ld.lld a.o -lboost_filesystem", // C
		"a.o -lc++ -lm":                   "ld.lld --push-state --as-needed -lpthread --pop-state a.o -lc++ -lm",
		"-static a.o -lc++":               "ld.lld -static a.o -lc++ -lpthread",
		"* -lc++":                         "ld.lld --push-state --as-needed -lpthread --pop-state * -lc++",
		"-lc++ -lboost_filesystem":        refused,
		"-lc++ -Lnone -lboost_filesystem": refused,
		"-lc++ -Lown -lboost_filesystem":  "ld.lld --push-state --as-needed -lpthread --pop-state -lc++ -Lown -lboost_filesystem",
		"-lc++ /store/sysroot/usr/lib/libboost_filesystem.so.1.83": refused,
		"-lc++ own/libboost_filesystem.a":                          "ld.lld --push-state --as-needed -lpthread --pop-state -lc++ own/libboost_filesystem.a",
		"@words":                                                   refused,
		"@static":                                                  "ld.lld @static -lpthread",
		"@c":                                                       "ld.lld @c",
	} {
		cmd := exec.Command(filepath.Join(dir, "view/bin/ld"), strings.Fields(call)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); got != want || (err != nil) != (want == refused) {
			t.Errorf("ld %s\n got %q, %v\nwant %q", call, got, err, want)
		}
	}
}
