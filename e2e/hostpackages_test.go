package e2e

import (
	"bytes"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"xbuild/internal/platform"
)

// four are the platforms of programs with large libraries.
var four = []string{"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/riscv64"}

// project copies a project of testdata.
func project(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// variables are what xbuild env says of a platform.
func variables(t *testing.T, dir, name string) map[string]string {
	t.Helper()
	r := xbuild(t, dir, "env", "-q", "-p", name, "--format", "dotenv")
	if r.code != 0 {
		t.Fatal(r)
	}
	out := map[string]string{}
	for line := range strings.Lines(r.stdout) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		out[key] = strings.Trim(value, `"`)
	}
	return out
}

// TestHostPackagesGLib: GLib's generators, which a sysroot's libglib2.0-dev brings for the host, are found by Meson's
// module gnome, by configure scripts in their three ways, and by Makefiles; the same bytes come out where other
// programs of these names are first on PATH, and none of them is called.
func TestHostPackagesGLib(t *testing.T) {
	needNetwork(t)
	dir := project(t, "hostpackages/glib")
	build(t, dir)
	for _, name := range four {
		for _, target := range []string{"meson", "autotools", "make"} {
			file := built(dir, name, target+"/hello")
			r := underQEMU(t, dir, name, file, filepath.Dir(file))
			want := "Hello from a resource\ngreen Greet 1\nHello from a schema\n"
			if r.code != 0 || r.stdout != want {
				t.Errorf("%s, %s: %v\nwant %q", target, name, r, want)
			}
		}
	}

	again := project(t, "hostpackages/glib")
	lock, err := os.ReadFile(filepath.Join(dir, "xbuild.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(again, "xbuild.lock"), lock, 0o644); err != nil {
		t.Fatal(err)
	}
	info := strings.Fields(xbuild(t, dir, "store", "info").stdout)
	if len(info) < 2 || info[0] != "directory" {
		t.Fatalf("xbuild store info: %q", info)
	}
	program, err := program()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "called")
	cmd := exec.Command(program, "build", "-q", "--locked", "-p", "linux/arm64")
	cmd.Dir = again
	cmd.Env = slices.Concat(environ(), poisonedHost(t, log), []string{"XBUILD_STORE=" + info[1]})
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("on a host with programs of these names: %v\n%s", err, out)
	}
	if called, err := os.ReadFile(log); err == nil {
		t.Errorf("programs of the host were called:\n%s", called)
	}
	for _, target := range []string{"meson", "autotools", "make"} {
		for _, file := range []string{"/hello", "/gschemas.compiled"} {
			one, err := os.ReadFile(built(dir, "linux/arm64", target+file))
			if err != nil {
				t.Error(err)
				continue
			}
			if other, err := os.ReadFile(built(again, "linux/arm64", target+file)); err != nil || !bytes.Equal(one, other) {
				t.Errorf("%s%s is another on a host with programs of these names (%v)", target, file, err)
			}
		}
	}
}

// TestHostPackagesQt: a program with windows in which moc, uic, rcc, lupdate and lrelease had their part draws itself.
func TestHostPackagesQt(t *testing.T) {
	needNetwork(t)
	dir := project(t, "hostpackages/qt")
	platforms := []string{"linux/arm/v7"}
	if full() {
		platforms = four
	}
	build(t, dir, "-p", strings.Join(platforms, ","))
	for _, name := range platforms {
		sysroot := variables(t, dir, name)["PKG_CONFIG_SYSROOT_DIR"]
		p, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		// QEMU does not look into the sysroot for all that Qt asks of its directory of plug-ins.
		t.Setenv("QT_PLUGIN_PATH", filepath.Join(sysroot, "usr/lib", p.Multiarch, "qt6/plugins"))
		t.Setenv("QT_QPA_FONTDIR", filepath.Join(sysroot, "usr/share/fonts/truetype/dejavu"))
		t.Setenv("QT_QPA_PLATFORM", "offscreen")
		t.Setenv("LC_ALL", "C.UTF-8")
		picture := filepath.Join(t.TempDir(), "window.png")
		r := underQEMU(t, dir, name, built(dir, name, "usr/bin/window"), picture)
		if want := "1 Window Guten Tag: a resource\n"; r.code != 0 || r.stdout != want {
			t.Errorf("%s: %v\nwant %q", name, r, want)
			continue
		}
		drawn(t, name, picture)
		r = underQEMU(t, dir, name, built(dir, name, "meson/window"), picture)
		if want := "0 Window Hello: a resource\n"; r.code != 0 || r.stdout != want {
			t.Errorf("Meson's, %s: %v\nwant %q", name, r, want)
			continue
		}
		drawn(t, name, picture)
	}
}

// TestHostPackagesQtBytes: what Qt's programs write is the same wherever and whenever they run.
func TestHostPackagesQtBytes(t *testing.T) {
	needNetwork(t)
	var first []byte
	for _, age := range []time.Duration{0, 400 * 24 * time.Hour} {
		dir := project(t, "hostpackages/qt")
		for _, name := range []string{"text.txt", "window_de.ts", "window.qrc"} {
			if err := os.Chtimes(filepath.Join(dir, name), time.Time{}, time.Now().Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
		build(t, dir, "-p", "linux/arm64", "window")
		data, err := os.ReadFile(built(dir, "linux/arm64", "usr/bin/window"))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = data
		} else if !bytes.Equal(first, data) {
			t.Error("the program of a copy of the project, whose files are older, is another")
		}
	}
}

// TestHostPackagesQt5: the same of Qt 5, whose files of CMake's name a qmake behind a link to what no sysroot has.
func TestHostPackagesQt5(t *testing.T) {
	needNetwork(t)
	dir := project(t, "hostpackages/qt")
	for name, text := range map[string]string{
		"xbuild.toml": `[project]
platforms = ["linux/arm64"]
[sysroot]
glibc = "2.36"
packages = ["qtbase5-dev"]
[target.window]
recipe = "cmake"
outputs = ["window"]
[target.meson]
recipe = "meson"
outputs = ["window"]
dest = "meson"
`,
		"CMakeLists.txt": `cmake_minimum_required(VERSION 3.21)
project(window CXX)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_AUTOMOC ON)
set(CMAKE_AUTOUIC ON)
set(CMAKE_AUTORCC ON)
find_package(Qt5 REQUIRED COMPONENTS Widgets)
add_executable(window main.cpp window.cpp window.ui window.qrc)
target_link_libraries(window PRIVATE Qt5::Widgets)
`,
		"meson.build": `project('window', 'cpp', default_options: ['cpp_std=c++17'])
qt = import('qt5')
widgets = dependency('qt5', modules: ['Widgets'])
generated = qt.preprocess(moc_headers: 'window.h', ui_files: 'window.ui', qresources: 'window.qrc', dependencies: widgets)
executable('window', 'main.cpp', 'window.cpp', generated, dependencies: widgets)
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build(t, dir)
	sysroot := variables(t, dir, "linux/arm64")["PKG_CONFIG_SYSROOT_DIR"]
	t.Setenv("QT_PLUGIN_PATH", filepath.Join(sysroot, "usr/lib/aarch64-linux-gnu/qt5/plugins"))
	t.Setenv("QT_QPA_FONTDIR", filepath.Join(sysroot, "usr/share/fonts/truetype/dejavu"))
	t.Setenv("QT_QPA_PLATFORM", "offscreen")
	t.Setenv("LC_ALL", "C.UTF-8")
	for _, file := range []string{"window", "meson/window"} {
		picture := filepath.Join(t.TempDir(), "window.png")
		r := underQEMU(t, dir, "linux/arm64", built(dir, "linux/arm64", file), picture)
		if want := "0 Window Hello: a resource\n"; r.code != 0 || r.stdout != want {
			t.Errorf("%s: %v\nwant %q", file, r, want)
			continue
		}
		drawn(t, file, picture)
	}
}

// drawn looks at the window: white letters on blue.
func drawn(t *testing.T, name, picture string) {
	t.Helper()
	file, err := os.Open(picture)
	if err != nil {
		t.Error(err)
		return
	}
	defer file.Close()
	img, err := png.Decode(file)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	blue, letters := 0, 0
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			switch c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA); {
			case c == color.NRGBA{0x20, 0x40, 0x80, 0xff}:
				blue++
			case c.R > 0xc0 && c.G > 0xc0 && c.B > 0xc0:
				letters++
			}
		}
	}
	if size := img.Bounds().Size(); size.X != 240 || size.Y != 80 || blue < 240*80/2 || letters < 100 {
		t.Errorf("%s: a picture of %v has %d points of the background and %d of letters", name, size, blue, letters)
	}
}

// TestHostPackagesNamed: host_packages of a target brings a program, and -dev packages are linked by what cargo builds
// for the host.
func TestHostPackagesNamed(t *testing.T) {
	needNetwork(t)
	dir := write(t, map[string]string{
		"xbuild.toml": `[project]
platforms = ["linux/arm64"]
[sysroot]
host_packages = ["zlib1g-dev"]
[target.page]
recipe = "make"
outputs = ["page.txt"]
host_packages = ["xsltproc"]
[target.crate]
recipe = "rust"
`,
		"Makefile": "page.txt: page.xsl page.xml\n\txsltproc page.xsl page.xml >$@\n",
		"page.xml": "<page>Hello</page>\n",
		"page.xsl": `<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/><xsl:template match="page"><xsl:value-of select="."/> from xsltproc
</xsl:template></xsl:stylesheet>
`,
		"Cargo.toml": "[package]\nname = \"crate\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
		"Cargo.lock": "version = 3\n\n[[package]]\nname = \"crate\"\nversion = \"0.1.0\"\n",
		"build.rs": `#[link(name = "z")]
extern "C" {
    fn crc32(crc: std::ffi::c_ulong, data: *const u8, size: std::ffi::c_uint) -> std::ffi::c_ulong;
}
fn main() {
    let sum = unsafe { crc32(0, b"123456789".as_ptr(), 9) };
    println!("cargo:rustc-env=SUM={sum:x}");
}
`,
		"src/main.rs": "fn main() { println!(\"{}\", env!(\"SUM\")); }\n",
	})
	build(t, dir)
	if text, err := os.ReadFile(built(dir, "linux/arm64", "page.txt")); err != nil || strings.TrimSpace(string(text)) != "Hello from xsltproc" {
		t.Errorf("xsltproc made %q, %v", text, err)
	}
	if r := underQEMU(t, dir, "linux/arm64", built(dir, "linux/arm64", "crate")); r.stdout != "cbf43926\n" {
		t.Errorf("the build script's sum: %v", r)
	}
}

// TestHostPackagesGTK: a program of GTK 4 whose resource is stripped of blanks by a program that host_packages names.
func TestHostPackagesGTK(t *testing.T) {
	needNetwork(t)
	platforms := []string{"linux/riscv64"}
	if full() {
		platforms = four
	}
	dir := write(t, map[string]string{
		"xbuild.toml": "[project]\nplatforms = " + quoted(platforms) + `
[sysroot]
packages = ["libgtk-4-dev"]
host_packages = ["libxml2-utils"]
[target.window]
recipe = "meson"
outputs = ["window"]
`,
		"meson.build": `project('window', 'c')
gnome = import('gnome')
res = gnome.compile_resources('window-resources', 'window.gresource.xml', c_name: 'window')
executable('window', 'main.c', res, dependencies: dependency('gtk4'))
`,
		"window.gresource.xml": `<?xml version="1.0" encoding="UTF-8"?>
<gresources><gresource prefix="/org/example"><file preprocess="xml-stripblanks">window.ui</file></gresource></gresources>
`,
		"window.ui": `<?xml version="1.0" encoding="UTF-8"?>
<interface>
  <object class="GtkLabel" id="label">
    <property name="label">Hello</property>
  </object>
</interface>
`,
		"main.c": `#include <gtk/gtk.h>
int main(void)
{
    gboolean display = gtk_init_check();
    GBytes *ui = g_resources_lookup_data("/org/example/window.ui", G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    printf("GTK %u, display %d, ui of %zu bytes\n", gtk_get_major_version(), display, g_bytes_get_size(ui));
    return 0;
}
`,
	})
	build(t, dir)
	for _, name := range platforms {
		r := underQEMU(t, dir, name, built(dir, name, "window"))
		if want := "GTK 4, display 0, ui of 147 bytes\n"; r.code != 0 || r.stdout != want {
			t.Errorf("%s: %v\nwant %q", name, r, want)
		}
	}
}

// TestHostPackagesWayland: Meson's dependency(native: true) and its module find a program that a package's .pc file
// names, and CMake finds it in its two ways.
func TestHostPackagesWayland(t *testing.T) {
	needNetwork(t)
	protocol := `<protocol name="hello"><interface name="hello_greeter" version="1"><request name="greet"/></interface></protocol>`
	main := `#include <stdio.h>
#include "hello-client-protocol.h"
extern const struct wl_interface hello_greeter_interface;
int main(void) { puts(hello_greeter_interface.name); return 0; }
`
	dir := write(t, map[string]string{
		"xbuild.toml": `[project]
platforms = ["linux/amd64", "linux/riscv64"]
[sysroot]
packages = ["libwayland-dev"]
[target.meson]
recipe = "meson"
source = "meson"
outputs = ["hello"]
dest = "meson"
[target.cmake]
recipe = "cmake"
source = "cmake"
outputs = ["hello"]
dest = "cmake"
`,
		"meson/hello.xml": protocol, "cmake/hello.xml": protocol, "meson/main.c": main, "cmake/main.c": main,
		"meson/meson.build": `project('hello', 'c')
native = dependency('wayland-scanner', native: true)
scanner = find_program(native.get_variable(pkgconfig: 'wayland_scanner'))
code = custom_target(input: 'hello.xml', output: 'hello.c', command: [scanner, 'private-code', '@INPUT@', '@OUTPUT@'])
header = import('unstable-wayland').scan_xml('hello.xml')
executable('hello', 'main.c', code, header[1], dependencies: dependency('wayland-client'))
`,
		"cmake/CMakeLists.txt": `cmake_minimum_required(VERSION 3.20)
project(hello C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(WAYLAND REQUIRED IMPORTED_TARGET wayland-client)
pkg_get_variable(SCANNER wayland-scanner wayland_scanner)
find_program(BY_NAME wayland-scanner REQUIRED)
set(xml ${CMAKE_CURRENT_SOURCE_DIR}/hello.xml)
add_custom_command(OUTPUT hello-client-protocol.h COMMAND ${BY_NAME} client-header ${xml} hello-client-protocol.h)
add_custom_command(OUTPUT hello.c COMMAND ${SCANNER} private-code ${xml} hello.c)
add_executable(hello main.c hello.c hello-client-protocol.h)
target_include_directories(hello PRIVATE ${CMAKE_CURRENT_BINARY_DIR})
target_link_libraries(hello PRIVATE PkgConfig::WAYLAND)
`,
	})
	build(t, dir)
	for _, name := range []string{"linux/amd64", "linux/riscv64"} {
		for _, target := range []string{"meson", "cmake"} {
			if r := underQEMU(t, dir, name, built(dir, name, target+"/hello")); r.stdout != "hello_greeter\n" {
				t.Errorf("%s, %s: %v", target, name, r)
			}
		}
	}
}
