package rust

import (
	"debug/elf"
	"maps"
	"slices"
	"strings"

	"xbuild/internal/compose"
	"xbuild/internal/env"
	"xbuild/internal/platform"
)

// ForRustc returns the variables that make cargo use a Rust view's compiler (The Cargo Book, "env.Environment Variables
// Cargo Reads").
func ForRustc(v compose.RustView) env.Environment {
	return env.Environment{{Name: "RUSTC", Value: v.Bin() + "/rustc"}, {Name: "RUSTDOC", Value: v.Bin() + "/rustdoc"}}
}

// forHost are the variables of a C environment by which every compiler on the machine is chosen. cargo also compiles
// build scripts and proc macros, for the host: they must see none of them, only what names a target.
var forHost = []string{
	"CC", "CXX", "CPP", "LD", "AR", "RANLIB", "NM", "STRIP", "OBJCOPY", "READELF", "SIZE", "STRINGS",
	"CROSS_COMPILE", "CROSS_PREFIX", "CFLAGS", "CXXFLAGS", "LDFLAGS",
	"CMAKE_TOOLCHAIN_FILE", "PKG_CONFIG", "PKG_CONFIG_SYSROOT_DIR", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_PATH",
	"PKG_CONFIG_ALLOW_CROSS",
}

// ForCargo turns the environment of a platform's C compilers (ForC) into cargo's: what chooses a compiler for
// everything is left out, what Cargo adds comes in.
func ForCargo(c env.Environment, v, host compose.View, s env.Settings) env.Environment {
	var e env.Environment
	for _, w := range c {
		if !slices.Contains(forHost, w.Name) {
			e.Set(w.Name, w.Value)
		}
	}
	return e.Merge(Cargo(v, host, s))
}

// Cargo returns the variables by which cargo, and the crates that compile C, tell the platform from the host: what is
// the target's is named by the target, what is the host's by the host (docs.rs/cc, "External configuration via
// environment variables"; docs.rs/pkg-config, "Cross Compilation"; docs.rs/cmake; docs.rs/bindgen).
func Cargo(v, host compose.View, s env.Settings) env.Environment {
	p, h := v.Platform, host.Platform
	var e env.Environment
	// The host's own first: where it is the platform's target too, nothing tells the two apart but the linker, which
	// RustFlags names again.
	if p.Class != elf.ELFCLASS32 {
		// what has to have the platform's size of pointers adds -m32 to the host's compiler, unless HOST_CC is set
		// (luajit-src); CC_<host> says the same
		e.Set("HOST_CC", host.CC())
	}
	e.Set("HOST_CXX", host.CXX())
	e.Set("HOST_AR", host.Tool("ar"))
	forTarget(&e, h, host, env.Settings{})
	if v.Key != "" { // otherwise the platform has no C compiler
		forTarget(&e, p, v, s)
	}
	e.Set("CARGO_TARGET_"+upper(h.Rust)+"_LINKER", host.CC())
	for _, name := range slices.Sorted(maps.Keys(v.Sysroot.CargoEnv)) {
		e.Set(name, v.Sysroot.CargoEnv[name])
	}
	if s.Static {
		// what a library needs itself is linked too; the crate has no variable for a target alone
		e.Set("PKG_CONFIG_ALL_STATIC", "1")
	}
	return e
}

func under(target string) string { return strings.ReplaceAll(target, "-", "_") }

func upper(target string) string { return strings.ToUpper(under(target)) }

func forTarget(e *env.Environment, p platform.Platform, v compose.View, s env.Settings) {
	t := under(p.Rust)
	e.Set("CC_"+t, v.CC())
	e.Set("CXX_"+t, v.CXX())
	e.Set("AR_"+t, v.Tool("ar"))
	e.Set("RANLIB_"+t, v.Tool("ranlib"))
	// Set and empty where there are none: plain CFLAGS, which may be another's, must not come in their place.
	e.Set("CFLAGS_"+t, strings.Join(s.CFlags, " "))
	// Crates that meet clang ask for libc++, as if it were macOS: what comes after their own flags wins.
	stdlib := "-stdlib=libstdc++"
	if v.Sysroot.CXX != nil {
		stdlib = "-stdlib=libc++"
	}
	e.Set("CXXFLAGS_"+t, strings.Join(append([]string{stdlib}, s.CXXFlags...), " "))
	e.Set("CARGO_TARGET_"+upper(p.Rust)+"_LINKER", v.CC())
	e.Set("CMAKE_TOOLCHAIN_FILE_"+t, v.CMakeToolchain())
	e.Set("BINDGEN_EXTRA_CLANG_ARGS_"+t, env.Bindgen(v, "-resource-dir="+v.ResourceDir()))
	e.Set("PKG_CONFIG_"+t, v.Tool("pkg-config"))
	e.Set("PKG_CONFIG_SYSROOT_DIR_"+t, v.Sysroot.Dir)
	e.Set("PKG_CONFIG_LIBDIR_"+t, v.Sysroot.Dir+"/usr/lib/"+p.Multiarch+"/pkgconfig:"+v.Sysroot.Dir+"/usr/share/pkgconfig")
	e.Set("PKG_CONFIG_PATH_"+t, "")
	e.Set("PKG_CONFIG_ALLOW_CROSS_"+t, "1")
}

// WithCargo adds to the environment of a platform's C compilers what a cargo that is called in it needs, among others
// or alone. Without --target cargo builds for the platform. Flags that the caller has set come last and win (The Cargo
// Book, build.rustflags: RUSTFLAGS takes the place of a target's own).
func WithCargo(c env.Environment, v, host compose.View, s env.Settings, flags []string,
	caller env.Environment) env.Environment {
	e := c.Merge(Cargo(v, host, s))
	e.Set("CARGO_BUILD_TARGET", v.Platform.Rust)
	e.Set("CARGO_TARGET_"+upper(v.Platform.Rust)+"_RUSTFLAGS", strings.Join(flags, " "))
	switch encoded, plain := caller.Lookup("CARGO_ENCODED_RUSTFLAGS"), caller.Lookup("RUSTFLAGS"); {
	case encoded != "":
		e.Set("CARGO_ENCODED_RUSTFLAGS", strings.Join(flags, "\x1f")+"\x1f"+encoded)
	case plain != "":
		e.Set("RUSTFLAGS", strings.Join(flags, " ")+" "+plain)
	}
	return e
}

// RustFlags are the flags of a release of rustc for a platform: its baseline and its linker. The linker is among them,
// and not in cargo's configuration alone, because that cannot tell the platform's programs from build scripts where
// both are for the same target.
func RustFlags(v compose.View, b platform.Baseline, release string, s env.Settings) []string {
	flags := append(append([]string{"-Clinker=" + v.RustLinker()}, v.Sysroot.RustFlags...), b.RustFlags(release)...)
	if s.Static {
		flags = append(flags, "-Ctarget-feature=+crt-static")
	}
	for _, f := range s.LDFlags {
		flags = append(flags, "-Clink-arg="+f)
	}
	return flags
}
