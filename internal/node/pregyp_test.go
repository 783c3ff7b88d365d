package node

import (
	"slices"
	"testing"
)

// TestPreGyp: package.json of bcrypt 5, @discordjs/opus and node-libcurl 3, and packages that are none of
// node-pre-gyp's.
func TestPreGyp(t *testing.T) {
	h := Headers{Version: "24.21.0", Dir: tree(t, map[string]string{"node_version.h": nodeVersion})}
	b := Build{Arch: "arm64", Libc: "glibc"}
	for _, c := range []struct {
		binary string
		want   []string // --module_path, --napi_build_version, --node_napi_label
	}{
		{`{"module_name": "bcrypt_lib", "module_path": "./lib/binding/napi-v{napi_build_version}", "napi_versions": [3]}`, []string{"/p/lib/binding/napi-v3", "3", "napi-v3"}},
		{`{"module_name": "opus", "module_path": "./prebuild/{node_abi}-napi-v{napi_build_version}-{platform}-{arch}-{libc}-{version}", "napi_versions": ["3", 8, 99]}`, []string{"/p/prebuild/node-v137-napi-v8-linux-arm64-glibc-1.2.3-rc.1", "8", "napi-v8"}},
		{`{"module_name": "node_libcurl", "module_path": "./lib/binding/{major}/{prerelease}"}`, []string{"/p/lib/binding/1/rc.1", "0", "node-v137"}},
		{`{"napi_versions": [3]}`, nil},
		{`"a file"`, nil},
		{``, nil},
	} {
		p := Package{Name: "p", Version: "1.2.3-rc.1", Dir: "/p", Binary: []byte(c.binary)}
		args, err := p.PreGyp(b, h)
		if err != nil {
			t.Fatal(err)
		}
		if c.want == nil {
			if len(args) > 0 {
				t.Errorf("%s: %q", c.binary, args)
			}
			continue
		}
		for i, name := range []string{"--module_path=", "--napi_build_version=", "--node_napi_label="} {
			if !slices.Contains(args, name+c.want[i]) {
				t.Errorf("%s: %q lacks %s", c.binary, args, name+c.want[i])
			}
		}
	}
	if _, err := (Package{Binary: []byte(`{"module_name": "a", "module_path": "b"}`)}).PreGyp(b, Headers{Dir: t.TempDir()}); err == nil {
		t.Error("a directory without headers passed")
	}
}
