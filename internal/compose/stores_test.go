package compose

import (
	"testing"

	"xbuild/internal/catalog"
)

// TestStores: each tree has another key in another store, and a name that is the same; what decides its content decides
// that name as well.
func TestStores(t *testing.T) {
	p, host := parse(t, "linux/arm64"), parse(t, "linux/amd64")
	names := func(root string, flags ...string) (keys, ids map[string]string) {
		clang, pkgconf, sysroot := parts(t, root, p)
		view := NewView(root, p, flags, clang, pkgconf, sysroot)
		_, _, hosts := parts(t, root, host)
		of := NewHostView(root, host, flags, clang, pkgconf, hosts)
		rust := clang // as any toolchain
		source := Sysroot{Key: "rust-source", Version: "1"}
		std := NewBuiltStd(root, rust, source, of, view, "target", flags)
		built := NewBuiltRustView(root, p, std)
		cxx := sysroot.WithCXX(Sysroot{Key: "source"}, &catalog.Library{Name: "libcxx"})
		compiled := NewView(root, p, flags, clang, pkgconf, cxx)
		keys, ids = map[string]string{}, map[string]string{}
		for name, v := range map[string]View{
			"view": view, "host": of, "lenient": view.Leniently(root), "run by": of.RunBy(root, rust), "plain": of.Plain(root),
			"narrow": of.Narrowly(root, view), "C++": compiled,
		} {
			keys[name], ids[name] = v.Key, v.ID
		}
		keys["clang"], ids["clang"] = clang.Key, clang.ID
		keys["library"], ids["library"] = compiled.cxxKey(), compiled.anywhere().cxxKey()
		keys["std"], ids["std"] = std.Key, std.ID
		keys["builder"], ids["builder"] = std.Builder.Key, std.Builder.ID
		keys["rust"], ids["rust"] = built.Key, built.ID
		rustView := NewRustView(root, p, rust, Sysroot{Key: "std"})
		keys["rust of a release"], ids["rust of a release"] = rustView.Key, rustView.ID
		var set Set
		set.View(compiled)
		set.RustView(built)
		all := set.Names()
		for name, dir := range map[string]string{
			"clang": clang.Dir, "C++": compiled.Dir, "library": treeDir(root, compiled.cxxKey()), "std": std.Dir, "builder": std.Builder.Dir, "rust": built.Dir, "host": of.Dir,
		} {
			if all[dir] != ids[name] {
				t.Errorf("%s is named %q, want %q", name, all[dir], ids[name])
			}
		}
		return keys, ids
	}
	keys, ids := names("/store", "-march=armv8-a")
	otherKeys, otherIDs := names("/elsewhere/store", "-march=armv8-a")
	_, changed := names("/store", "-march=armv8.2-a")
	seen := map[string]string{}
	for name, id := range ids {
		if id == "" || otherIDs[name] != id {
			t.Errorf("%s is %q in one store, and %q in another", name, id, otherIDs[name])
		}
		if keys[name] == otherKeys[name] {
			t.Errorf("the tree of %s has the key %s in both stores", name, keys[name])
		}
		stands := name == "clang" || name == "builder" || name == "rust of a release"
		if (changed[name] == id) != stands {
			t.Errorf("%s with other flags: %s, and before %s", name, changed[name], id)
		}
		if seen[id] != "" {
			t.Errorf("%s and %s have one name", name, seen[id])
		}
		seen[id] = name
	}
}
