package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stdProgram uses what a standard library that was put together wrongly fails at: threads, unwinding, sockets, wide
// atomics, floating point.
const stdProgram = `use std::io::{Read, Write};

#[cfg(target_has_atomic = "64")]
fn sum(a: u64, b: u64) -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    let n = AtomicU64::new(a);
    n.fetch_add(b, Ordering::SeqCst);
    n.load(Ordering::SeqCst)
}

#[cfg(not(target_has_atomic = "64"))] // armv5te
fn sum(a: u64, b: u64) -> u64 {
    let n = std::sync::Mutex::new(a);
    *n.lock().unwrap() += b;
    n.into_inner().unwrap()
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let threads: Vec<_> = (0..4).map(|i| std::thread::spawn(move || { if i == 3 { panic!("deliberate") } i * i })).collect();
    println!("{:?}", threads.into_iter().map(|t| t.join().map_err(|_| "panicked")).collect::<Vec<_>>());
    let caught = std::panic::catch_unwind(|| { let v: Vec<i32> = vec![]; v[std::env::args().count()] });
    println!("caught {}", caught.is_err());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || { let mut s = String::new(); listener.accept().unwrap().0.read_to_string(&mut s).unwrap(); s });
    std::net::TcpStream::connect(address).unwrap().write_all(b"over tcp").unwrap();
    println!("{}", server.join().unwrap());
    println!("{} {:.3}", sum(1 << 40, std::env::args().count() as u64), (2.0 * std::env::args().count() as f64).sqrt());
}
`

const stdOutput = "[Ok(0), Ok(1), Ok(4), Err(\"panicked\")]\ncaught true\nover tcp\n1099511627777 1.414\n"

// TestStd builds Rust programs against standard libraries that xbuild builds from source, and runs them on the
// baseline's CPU: a library with one instruction too many ends with SIGILL there. A library takes about 100 seconds of
// processor time the first time.
func TestStd(t *testing.T) {
	needNetwork(t)
	for _, c := range []struct {
		name, config string
		lean, full   []string
	}{
		{"gnu", "", []string{"linux/arm/v6"}, []string{"linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/386/387", "linux/mips64le"}},
		{"gnu, 1.85", "[toolchains]\nrust = \"~1.85\"\n", nil, []string{"linux/arm/v6", "linux/386/387", "linux/mips64le", "linux/loong64"}},
		{"musl", "[sysroot]\nlibc = \"musl\"\n", []string{"linux/arm64"},
			append(slices.Clone(eleven), "linux/386/387")},
	} {
		t.Run(c.name, func(t *testing.T) {
			names := c.lean
			if full() {
				names = c.full
			}
			if names == nil {
				t.Skip("XBUILD_E2E=full")
			}
			dir := t.TempDir()
			for file, text := range map[string]string{
				"xbuild.toml": "[project]\nplatforms = [\"" + strings.Join(names, "\", \"") + "\"]\n" + c.config + "[target.hello]\nrecipe = \"rust\"\nbins = [\"hello\"]\n[target.abort]\nrecipe = \"rust\"\nbins = [\"abort\"]\nprofile = \"small\"\n",
				// As many programs are released: without unwinding, optimised as a whole.
				"Cargo.toml":       "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[profile.small]\ninherits = \"release\"\npanic = \"abort\"\nlto = true\ncodegen-units = 1\nopt-level = \"z\"\nstrip = true\n",
				"src/main.rs":      stdProgram,
				"src/bin/abort.rs": "fn main() { let v: Vec<usize> = vec![5]; println!(\"{}\", v[std::env::args().count() - 1]); std::process::exit((v.len() - 1) as i32) }\n",
			} {
				path := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			// fetch builds the library too, so that what follows needs no network.
			if r := xbuild(t, dir, "fetch", "-q"); r.code != 0 {
				t.Fatalf("xbuild fetch: %v", r)
			}
			build(t, dir, "--offline")
			for _, name := range names {
				if r := underQEMU(t, dir, name, built(dir, name, "hello")); r.code != 0 || r.stdout != stdOutput {
					t.Errorf("%s: %v\nwant:\n%s", name, r, stdOutput)
				}
				if r := underQEMU(t, dir, name, built(dir, name, "abort")); r.code != 0 || r.stdout != "5\n" {
					t.Errorf("%s with panic = \"abort\": %v", name, r)
				}
			}
		})
	}
}

// TestMuslC builds a C program with musl for every platform: a thread, and one that is unwound from inside, which a
// sysroot's libgcc and C library have to agree on. C++ that was not to be foreseen is refused in one sentence.
func TestMuslC(t *testing.T) {
	needNetwork(t)
	names := eleven
	dir := t.TempDir()
	for file, text := range map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"" + strings.Join(names, "\", \"") + "\"]\n[sysroot]\nlibc = \"musl\"\n[target.hello]\nrecipe = \"cc\"\nsources = [\"hello.c\"]\nlibs = [\"m\"]\ncflags = [\"-fexceptions\"]\n" +
			"[target.generated]\nrecipe = \"make\"\noutputs = [\"generated\"]\nplatforms = [\"linux/amd64\"]\n",
		"hello.c": `#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <unwind.h>
#include <linux/futex.h>
static int cleaned, frames;
static void *f(void *x) { return x; }
static void clean(int *n) { cleaned += *n; }
static _Unwind_Reason_Code count(struct _Unwind_Context *c, void *x) { frames++; return _URC_NO_REASON; }
static _Unwind_Reason_Code stop(int v, _Unwind_Action a, _Unwind_Exception_Class k, struct _Unwind_Exception *e, struct _Unwind_Context *c, void *x) {
	if (a & _UA_END_OF_STACK)
		pthread_exit((void *)8L); /* x lies elsewhere by GCC's header for ARM than by clang's, which passes a wider class before it */
	return _URC_NO_REASON;
}
static void *unwound(void *x) {
	int n __attribute__((cleanup(clean))) = 2;
	static struct _Unwind_Exception e;
	_Unwind_Backtrace(count, 0);
	_Unwind_ForcedUnwind(&e, stop, x);
	return 0;
}
int main(int c, char **v) {
	pthread_t t, u;
	void *r, *s;
	pthread_create(&t, 0, f, (void *)7L);
	pthread_join(t, &r);
	pthread_create(&u, 0, unwound, 0);
	pthread_join(u, &s);
	printf("musl %ld %.3f %d, unwound %ld %d %d\n", (long)r, sqrt(2.0 * c), FUTEX_WAIT, (long)s, cleaned, frames > 0);
	return 0;
}
`,
		"Makefile": "generated:\n\techo '#include <iostream>' >generated.cc\n\t$(CXX) -c generated.cc -o generated\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build(t, dir, "hello")
	for _, name := range names {
		if r := underQEMU(t, dir, name, built(dir, name, "hello")); r.code != 0 || r.stdout != "musl 7 1.414 0, unwound 8 2 1\n" {
			t.Errorf("%s: %v", name, r)
		}
	}
	if r := xbuild(t, dir, "build", "-q", "generated"); r.code == 0 || !strings.Contains(r.stderr, `no target of the project was seen to compile C++: write cxx = true in [sysroot]`) {
		t.Errorf("C++ that nobody saw: %v", r)
	}
}

// cxxProgram uses what a C++ library that was put together wrongly fails at: unwinding, types at run time, threads and
// their variables, wide atomics, streams, files, locales, floating point in text, static destructors.
const cxxProgram = `#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <format>
#include <fstream>
#include <future>
#include <iostream>
#include <locale>
#include <memory>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
namespace fs = std::filesystem;
struct Base { virtual ~Base() = default; };
struct Derived : Base { int two = 2; };
struct Error : std::runtime_error { using std::runtime_error::runtime_error; };
static int cleaned;
struct Clean { ~Clean() { cleaned++; } };
static void thrower(int n) { Clean c; if (n == 0) throw Error("thrown"); thrower(n - 1); }
thread_local std::string local = "main's";
struct AtEnd { ~AtEnd() { std::puts("end"); } } at_end;
int main() {
	try { thrower(3); } catch (const std::exception &e) { std::cout << e.what() << ' ' << cleaned << ' ' << (typeid(e) == typeid(Error)) << '\n'; }
	std::unique_ptr<Base> b = std::make_unique<Derived>();
	std::cout << dynamic_cast<Derived *>(b.get())->two;
	try { std::unique_ptr<Base> o(new Base); std::cout << &dynamic_cast<Derived &>(*o); } catch (const std::bad_cast &) { std::cout << " bad cast\n"; }
	std::mutex m; std::condition_variable cv; bool ready = false; std::atomic<long long> sum{0};
	std::vector<std::thread> threads;
	for (int i = 0; i < 4; i++) threads.emplace_back([&, i] { std::unique_lock l(m); cv.wait(l, [&] { return ready; }); local += "x"; sum += (1LL << 33) + i; });
	{ std::lock_guard l(m); ready = true; }
	cv.notify_all();
	for (auto &t : threads) t.join();
	std::cout << sum << ' ' << local << '\n';
	auto later = std::async(std::launch::async, []() -> int { throw Error("from a thread"); });
	try { later.get(); } catch (const Error &e) { std::cout << e.what() << '\n'; }
	fs::path dir = fs::temp_directory_path() / ("cxx-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()));
	fs::create_directories(dir / "a/b");
	{ std::ofstream(dir / "a/b/f") << "line " << 3.25 << '\n'; }
	std::string line; { std::ifstream in(dir / "a/b/f"); std::getline(in, line); }
	int n = 0; for (auto &e : fs::recursive_directory_iterator(dir)) n += e.exists();
	std::cout << line << ' ' << n << ' ' << fs::file_size(dir / "a/b/f") << ' ' << fs::remove_all(dir) << '\n';
	std::error_code ec; fs::file_size("/nonexistent", ec); std::cout << ec.message() << '\n';
	std::cout << std::use_facet<std::ctype<char>>(std::locale::classic()).toupper('x') << ' ' << std::locale("C.UTF-8").name() << '\n';
	std::smatch sm; std::string s = "v12.34"; std::cout << std::regex_match(s, sm, std::regex("v(\\d+)\\.(\\d+)")) << ' ' << sm[2] << '\n';
	std::cout << std::format("{:>6.2f}|{:#x}|{}", 3.14159, 255, "text") << '\n';
	std::stringstream ss; ss << 1.5L << ' ' << 1e300; long double ld; double d; ss >> ld >> d; std::cout << ld << ' ' << d << '\n';
	try { std::vector<int> v; v.reserve(v.max_size() + 1ULL); } catch (const std::length_error &) { std::cout << "too long\n"; }
}
`

const cxxOutput = "thrown 4 1\n2 bad cast\n34359738374 main's\nfrom a thread\nline 3.25 3 10 4\nNo such file or directory\nX C.UTF-8\n1 34\n  3.14|0xff|text\n1.5 1e+300\ntoo long\nend\n"

// TestMuslCXX builds C++ programs with musl and libc++, which is compiled from its source first: 40 seconds of
// processor time a platform. The recipes that start a build system do it for the first platform.
func TestMuslCXX(t *testing.T) {
	needNetwork(t)
	names := []string{"linux/amd64"}
	if full() {
		names = eleven
	}
	const small = "#include <iostream>\n#include <stdexcept>\nint main() {\n  try { throw std::runtime_error(\"caught\"); } catch (const std::exception &e) { std::cout << e.what() << std::endl; }\n}\n"
	config := "[project]\nplatforms = " + quoted(names) + "\n[sysroot]\nlibc = \"musl\"\n[target.all]\nrecipe = \"cc\"\nsources = [\"all.cc\"]\ncxxflags = [\"-std=c++20\"]\n"
	files := map[string]string{
		"all.cc": cxxProgram,
		"cmake/CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(small CXX)\nfind_package(Threads REQUIRED)\nadd_executable(small small.cpp)\n" +
			"target_link_libraries(small Threads::Threads)\n",
		"make/Makefile":     "small: small.cpp\n\t$(CXX) $(CXXFLAGS) -o $@ $< -lstdc++\n",
		"meson/meson.build": "project('small', 'cpp')\nexecutable('small', 'small.cpp', dependencies: dependency('threads'))\n",
	}
	recipes := []string{"cmake", "make", "meson"}
	for _, r := range recipes {
		files[r+"/small.cpp"] = small
		config += "[target." + r + "]\nrecipe = \"" + r + "\"\nsource = \"" + r + "\"\noutputs = [\"small\"]\ndest = \"" + r + "\"\nplatforms = [\"" + names[0] + "\"]\n"
	}
	files["xbuild.toml"] = config
	dir := write(t, files)
	build(t, dir)
	for _, name := range names {
		if r := underQEMU(t, dir, name, built(dir, name, "all")); r.code != 0 || r.stdout != cxxOutput {
			t.Errorf("%s: %v\nwant:\n%s", name, r, cxxOutput)
		}
	}
	for _, r := range recipes {
		if out := underQEMU(t, dir, names[0], built(dir, names[0], r+"/small")); out.code != 0 || out.stdout != "caught\n" {
			t.Errorf("recipe %s: %v", r, out)
		}
	}
}

// TestWasm builds a Rust program for WebAssembly and runs it under the WASI of Node.js.
func TestWasm(t *testing.T) {
	needNetwork(t)
	dir := t.TempDir()
	for file, text := range map[string]string{
		"xbuild.toml": "[project]\nplatforms = [\"wasip1/wasm\"]\n[toolchains]\nnode = \"^20\"\n[target.hello]\nrecipe = \"rust\"\nstrip = true\n",
		"Cargo.toml":  "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
		"src/main.rs": `fn main() {
    println!("{} {:?}", std::env::consts::ARCH, std::env::args().skip(1).collect::<Vec<_>>());
    std::fs::write("out.txt", "written").unwrap();
    println!("{} {:.3}", std::fs::read_to_string("out.txt").unwrap(), 2f64.sqrt());
}
`,
		"run.mjs": `import { WASI } from "node:wasi";
import { readFile } from "node:fs/promises";
const wasi = new WASI({ version: "preview1", args: process.argv.slice(2), preopens: { ".": process.cwd() }, returnOnExit: true });
const instance = await WebAssembly.instantiate(await WebAssembly.compile(await readFile(process.argv[2])), wasi.getImportObject());
process.exit(wasi.start(instance));
`,
	} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build(t, dir)
	r := xbuild(t, dir, "exec", "-q", "-p", "linux/amd64", "--", "node", "--no-warnings", "run.mjs", built(dir, "wasip1/wasm", "hello.wasm"), "a", "b")
	if want := "wasm32 [\"a\", \"b\"]\nwritten 1.414\n"; r.code != 0 || r.stdout != want {
		t.Errorf("%v\nwant:\n%s", r, want)
	}
}
