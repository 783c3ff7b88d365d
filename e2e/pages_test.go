package e2e

import (
	"debug/elf"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"xbuild/internal/archive"
	"xbuild/internal/fetch"
	"xbuild/internal/platform"
)

// pageOf is the largest page of a platform, in bytes.
func pageOf(t *testing.T, name string) int {
	t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return p.Page()
}

// TestPages: what the linkers make by themselves starts on the platform's largest pages; what is laid out for
// smaller ones is refused where there are larger ones, and taken where the project says on which it is to run.
func TestPages(t *testing.T) {
	needNetwork(t)
	files := map[string]string{
		"xbuild.toml": `[project]
platforms = ` + quoted(eleven) + `
[target.c]
recipe = "cc"
sources = ["a.c"]
[target.static]
recipe = "cc"
sources = ["a.c"]
static = true
[target.lib]
recipe = "cc"
kind = "shared"
sources = ["lib.c"]
[target.code]
recipe = "cc"
sources = ["a.c"]
ldflags = ["-Wl,-z,separate-code,-z,relro,-z,now"]
[target.go]
recipe = "go"
`,
		"a.c":     "int x = 3;\nint main(void) { return x - 3; }\n",
		"lib.c":   "int x = 3;\nint *f(void) { return &x; }\n",
		"go.mod":  "module a\n\ngo 1.19\n",
		"main.go": "package main\n\nfunc main() { println(1) }\n",
	}
	dir := write(t, files)
	build(t, dir)
	onEach(t, eleven, func(t *testing.T, name string) {
		for _, file := range []string{"c", "static", "liblib.so", "code", "go"} {
			r := xbuild(t, dir, "inspect", "--json", built(dir, name, file))
			var reports []struct{ Pages int }
			if err := json.Unmarshal([]byte(r.stdout), &reports); err != nil || len(reports) != 1 || reports[0].Pages < pageOf(t, name) {
				t.Errorf("%s of %s: %v, %v; want %d or more", file, name, reports, err, pageOf(t, name))
			}
			f, err := elf.Open(built(dir, name, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range f.Progs {
				if p.Type == elf.PT_GNU_RELRO && file != "go" && (p.Vaddr+p.Memsz)%uint64(pageOf(t, name)) != 0 {
					t.Errorf("%s of %s: RELRO ends at %#x, within a page of %d bytes: there ld.so leaves it writable", file, name, p.Vaddr+p.Memsz, pageOf(t, name))
				}
			}
			f.Close()
		}
		if file := built(dir, name, "static"); underQEMU(t, dir, name, file).code != 0 {
			t.Errorf("%s does not run", file)
		}
	})
	if r := xbuild(t, dir, "inspect", built(dir, "linux/arm64", "liblib.so")); !strings.Contains(strings.Join(strings.Fields(r.stdout), " "), " pages up to 64 KB ") {
		t.Errorf("xbuild inspect: %v", r)
	}

	edit(t, filepath.Join(dir, "xbuild.toml"), "[target.lib]\n", "[target.lib]\nldflags = [\"-Wl,-z,max-page-size=4096\"]\n")
	r := xbuild(t, dir, "build", "lib")
	for _, name := range eleven {
		fault := "has segments aligned to 4096 bytes, and kernels for " + name + " have pages of up to 65536"
		if larger := pageOf(t, name) > 4096; larger != strings.Contains(r.stderr, fault) {
			t.Errorf("a library for %s that is laid out for 4 KB: refused is %v, want %v\n%v", name, !larger, larger, r)
		}
	}
	if r.code != 1 {
		t.Errorf("the build ended with %d", r.code)
	}
	settled := ""
	for _, name := range eleven {
		if pageOf(t, name) > 4096 {
			settled += "\n[platform.\"" + name + "\"]\npage = 4\n"
		}
	}
	edit(t, filepath.Join(dir, "xbuild.toml"), "[target.go]\n", settled+"[target.go]\n")
	build(t, dir, "lib")
	for args, want := range map[string]int{dir: 0, t.TempDir(): 1} {
		if r := xbuild(t, args, "inspect", "-p", "linux/ppc64le", built(dir, "linux/ppc64le", "liblib.so")); r.code != want {
			t.Errorf("xbuild inspect -p in %s: %v, want exit code %d", args, r, want)
		}
	}
}

// allocator is a program in Rust whose allocator is jemalloc, and which prints the page that this was compiled for.
var allocator = map[string]string{
	"je/Cargo.toml": "[package]\nname = \"je\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\ntikv-jemallocator = \"0.6\"\ntikv-jemalloc-sys = \"0.6\"\n",
	"je/src/main.rs": `use tikv_jemalloc_sys::mallctl;

#[global_allocator]
static GLOBAL: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let (mut page, mut len) = (0usize, size_of::<usize>());
    let code = unsafe { mallctl(c"arenas.page".as_ptr().cast(), (&raw mut page).cast(), &mut len, std::ptr::null_mut(), 0) };
    let numbers: Vec<u64> = (0..100_000).collect();
    println!("{code} {page} {}", numbers.iter().sum::<u64>());
}
`,
}

// TestJemalloc: an allocator that compiles in the size of a page is compiled for the platform's largest. What the user
// says wins. It runs on pages of 64 KB too. CI has TestPages: configure starts the compiler hundreds of times here.
func TestJemalloc(t *testing.T) {
	needNetwork(t)
	if !full() {
		t.Skip("with XBUILD_E2E=full")
	}
	rust := slices.DeleteFunc(slices.Clone(eleven), func(name string) bool { return name == "linux/mips64le" }) // for which no release of Rust that the crate takes has a standard library
	files := map[string]string{"xbuild.toml": "[project]\nplatforms = " + quoted(rust) + "\n[target.je]\nrecipe = \"rust\"\nsource = \"je\"\n"}
	for name, text := range allocator {
		files[name] = text
	}
	dir := write(t, files)
	for _, name := range rust { // one by one
		build(t, dir, "-p", name)
		prints(t, dir, name, built(dir, name, "je"), nil, "0 "+strconv.Itoa(pageOf(t, name))+" 4999950000")
	}
	large := largePages(t)
	large(dir, "linux/arm64", "je", 65536, true)
	// Not linux/ppc64le: there a memset to zero in a thread's own data ends with SIGSEGV in that QEMU, in C alone too
	// (dcbz, in the loader's last page).
	edit(t, filepath.Join(dir, "xbuild.toml"), "[target.je]\n", "[target.je]\nplatforms = [\"linux/arm64\"]\nenv = { JEMALLOC_SYS_WITH_LG_PAGE = \"14\" }\n")
	build(t, dir)
	prints(t, dir, "linux/arm64", built(dir, "linux/arm64", "je"), nil, "0 16384 ")
	large(dir, "linux/arm64", "je", 16384, true)
	large(dir, "linux/arm64", "je", 65536, false)
}

// TestJemallocByMake is the same of the C library that a Makefile configures and brings, as that of valkey and redis
// does.
func TestJemallocByMake(t *testing.T) {
	needNetwork(t)
	if !full() {
		t.Skip("with XBUILD_E2E=full")
	}
	source, _ := upstream(t, "jemalloc")
	projectIn(t, source, eleven, "[target.je]\nrecipe = \"make\"\noutputs = [\"je\"]\n[platform.\"linux/s390x\"]\nenv = { LG_PAGE = \"--with-lg-page=13\" }\n")
	for name, text := range map[string]string{
		"GNUmakefile": "je: je.c\n\t./configure --disable-cxx --with-lg-quantum=3 --with-jemalloc-prefix=je_ $(LG_PAGE)\n\t$(MAKE) -f Makefile lib/libjemalloc.a\n\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ je.c lib/libjemalloc.a -lpthread -ldl -lm\n",
		"je.c": `#include <stdio.h>
#include <stdlib.h>
int je_mallctl(const char *, void *, size_t *, void *, size_t);
void *je_malloc(size_t);
int main(void) {
    size_t page = 0, len = sizeof page;
    int code = je_mallctl("arenas.page", &page, &len, 0, 0);
    printf("%d %zu %d\n", code, page, je_malloc(1 << 20) != 0);
}
`,
	} {
		if err := os.WriteFile(filepath.Join(source, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range eleven { // one by one, as above
		build(t, source, "-p", name)
	}
	onEach(t, eleven, func(t *testing.T, name string) {
		want := pageOf(t, name)
		if name == "linux/s390x" {
			want = 8192
		}
		prints(t, source, name, built(source, name, "je"), nil, "0 "+strconv.Itoa(want)+" 1\n")
	})
	largePages(t)(source, "linux/arm64", "je", 65536, true)
}

// largePages runs programs with larger pages than the machine's, which QEMU's user mode has an option for up to
// release 9 (-p: what the program is told of the page, and what mmap rounds to). It is bookworm's.
func largePages(t *testing.T) func(dir, name, file string, page int, runs bool) {
	t.Helper()
	a := openArchive(t)
	index, _, err := a.Debian().File(t.Context(), "bookworm", func(r *archive.Release) (string, archive.FileHash, error) {
		_, byHash, hash, err := r.Index("main", platform.Host().Debian)
		return byHash, hash, err
	})
	if err != nil {
		t.Fatal(err)
	}
	packages, err := archive.ReadPackages(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	found, err := packages.Lookup("qemu-user-static")
	if err != nil {
		t.Fatal(err)
	}
	p := found[0]
	qemu := t.TempDir()
	var urls []string
	for _, m := range a.Mirrors {
		urls = append(urls, m+"/"+p.Filename)
	}
	if err := fetch.Files(t.Context(), a.Store, []fetch.Item{{Name: filepath.Base(p.Filename), URLs: urls, SHA256: p.SHA256, Size: p.Size}}, a.Fetch); err != nil {
		t.Fatal(err)
	}
	file, ok := a.Store.File(p.SHA256)
	if !ok {
		t.Fatalf("%s is not in the store after it was fetched", p.Filename)
	}
	if err := archive.UnpackFile(t.Context(), file, qemu, archive.UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	return func(dir, name, file string, page int, runs bool) {
		t.Helper()
		target, err := platform.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		r := xbuild(t, dir, "exec", "-q", "-p", name, "--", "sh", "-c", `exec "$0" -L "$QEMU_LD_PREFIX" "$@"`,
			filepath.Join(qemu, "usr/bin", target.QEMU+"-static"), "-cpu", target.QEMUCPU, "-p", strconv.Itoa(page), built(dir, name, file))
		if (r.code == 0) != runs {
			t.Errorf("%s for %s with pages of %d: %v\nwant it to run: %v", file, name, page, r, runs)
		}
	}
}
