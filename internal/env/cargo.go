package env

import (
	"strings"

	"xbuild/internal/compose"
	"xbuild/internal/platform"
)

// ForRustc returns the variables that make cargo use a Rust view's compiler (The Cargo Book, "Environment Variables Cargo Reads").
func ForRustc(v compose.RustView) Environment {
	return Environment{{"RUSTC", v.Bin() + "/rustc"}, {"RUSTDOC", v.Bin() + "/rustdoc"}}
}

// forHost are the variables of a C environment by which every compiler on the machine is chosen. cargo also compiles build scripts and proc macros, for the
// host: they must see none of them, only what names a target.
var forHost = []string{
	"CC", "CXX", "CPP", "LD", "AR", "RANLIB", "NM", "STRIP", "OBJCOPY", "READELF", "SIZE", "STRINGS", "CROSS_COMPILE", "CFLAGS", "CXXFLAGS", "LDFLAGS",
	"CMAKE_TOOLCHAIN_FILE", "PKG_CONFIG", "PKG_CONFIG_SYSROOT_DIR", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_PATH", "PKG_CONFIG_ALLOW_CROSS",
}

// ForCargo turns the environment of a platform's C compilers (ForC) into cargo's: what is the target's is named by the target, what is the host's by the host
// (docs.rs/cc, "External configuration via environment variables"; docs.rs/pkg-config, "Cross Compilation").
func ForCargo(c Environment, v, host compose.View, s Settings) Environment {
	p, h := v.Platform, host.Platform
	t := strings.ReplaceAll(p.Rust, "-", "_")
	var e Environment
	for _, w := range c {
		own := false
		for _, name := range forHost {
			own = own || w.Name == name
		}
		if !own {
			e.Set(w.Name, w.Value)
		}
	}
	e.Set("CFLAGS_"+t, strings.Join(s.CFlags, " "))
	e.Set("CXXFLAGS_"+t, strings.Join(s.CXXFlags, " "))
	e.Set("RANLIB_"+t, v.Tool("ranlib"))
	for _, name := range []string{"PKG_CONFIG", "PKG_CONFIG_SYSROOT_DIR", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_PATH", "PKG_CONFIG_ALLOW_CROSS"} {
		e.Set(name+"_"+t, c.Lookup(name))
	}
	// The host's own: by cc's names for it, and as the linker of its target.
	e.Set("HOST_CC", host.Tool("clang"))
	e.Set("HOST_CXX", host.Tool("clang++"))
	e.Set("HOST_AR", host.Tool("ar"))
	e.Set("CARGO_TARGET_"+strings.ToUpper(strings.ReplaceAll(h.Rust, "-", "_"))+"_LINKER", host.Tool("clang"))
	if h.Rust != p.Rust {
		u := strings.ReplaceAll(h.Rust, "-", "_")
		e.Set("CC_"+u, host.Tool("clang"))
		e.Set("CXX_"+u, host.Tool("clang++"))
		e.Set("AR_"+u, host.Tool("ar"))
		e.Set("PKG_CONFIG_"+u, host.Tool("pkg-config"))
		e.Set("PKG_CONFIG_SYSROOT_DIR_"+u, host.Sysroot.Dir)
		e.Set("PKG_CONFIG_LIBDIR_"+u, host.Sysroot.Dir+"/usr/lib/"+h.Multiarch+"/pkgconfig:"+host.Sysroot.Dir+"/usr/share/pkgconfig")
	}
	return e
}

// RustFlags are rustc's flags for a platform: its baseline and its linker. The linker is among them, and not in cargo's configuration alone, because that cannot
// tell the platform's programs from build scripts where both are for the same target.
func RustFlags(v compose.View, b platform.Baseline, s Settings, static bool) []string {
	flags := append([]string{"-Clinker=" + v.Tool("clang")}, b.RustFlags()...)
	if static {
		flags = append(flags, "-Ctarget-feature=+crt-static")
	}
	for _, f := range s.LDFlags {
		flags = append(flags, "-Clink-arg="+f)
	}
	return flags
}
