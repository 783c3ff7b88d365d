package e2e

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbuild/internal/platform"
)

// TestDynamic builds programs that are linked to the platform's shared libraries, and runs them with the sysroot as
// QEMU's root.
func TestDynamic(t *testing.T) {
	needNetwork(t)
	dir := example(t, "all")
	toml := filepath.Join(dir, "xbuild.toml")
	// linux/arm/v6 is static unless the file says otherwise, so that is not said here.
	edit(t, toml, "static = true\n", "")
	build(t, dir, "hello-c", "hello-cpp", "hello-cmake")
	onEach(t, eleven, func(t *testing.T, name string) {
		for _, target := range []string{"hello-c", "hello-cpp", "hello-cmake"} {
			file := built(dir, name, target)
			checkLinked(t, file, name, name != "linux/arm/v6")
			prints(t, dir, name, file, nil, greeting(target, name))
		}
	})
}

// checkLinked holds a program's loader and libraries against what the platform has.
func checkLinked(t *testing.T, file, name string, dynamic bool) {
	t.Helper()
	p, err := platform.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	inspected(t, file, p)
	f, err := elf.Open(file)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	libs, err := f.ImportedLibraries()
	if err != nil {
		t.Error(err)
	}
	interp := ""
	if s := f.Section(".interp"); s != nil {
		data, err := s.Data()
		if err != nil {
			t.Error(err)
		}
		interp = strings.TrimRight(string(data), "\x00")
	}
	switch {
	case dynamic && (interp != p.Interp || len(libs) == 0):
		t.Errorf("%s for %s: loader %q, libraries %v; want loader %q and libraries", filepath.Base(file), name, interp, libs, p.Interp)
	case !dynamic && (interp != "" || len(libs) > 0):
		t.Errorf("%s for %s: loader %q, libraries %v; want a static program", filepath.Base(file), name, interp, libs)
	}
	if path, err := f.DynString(elf.DT_RUNPATH); err != nil || len(path) > 0 {
		t.Errorf("%s for %s: RUNPATH %v (%v); a path of this machine has no place in it", filepath.Base(file), name, path, err)
	}
}

// async uses what libstdc++ has only where atomic operations of the platform and of the library's build agree:
// std::async, std::future, exceptions through them, and 8-byte atomics, which are calls into libatomic on 32-bit
// platforms.
const async = `
#include <atomic>
#include <cstdint>
#include <future>
#include <iostream>
#include <mutex>
#include <condition_variable>
#include <stdexcept>
#include <thread>
#include <vector>

static std::atomic<std::uint64_t> total{1ull << 40};

int main() {
	std::vector<std::future<std::uint64_t>> parts;
	for (std::uint64_t i = 1; i <= 4; i++)
		parts.push_back(std::async(std::launch::async, [i] {
			for (int k = 0; k < 1000; k++)
				total.fetch_add(i * 0x10000001ull);
			return i;
		}));
	std::uint64_t sum = 0;
	for (auto &p : parts)
		sum += p.get();
	std::promise<int> promise;
	auto future = promise.get_future();
	std::thread thrower([&] {
		try {
			throw std::runtime_error("carried");
		} catch (...) {
			promise.set_exception(std::current_exception());
		}
	});
	try {
		future.get();
	} catch (const std::exception &e) {
		std::cout << e.what() << '\n';
	}
	thrower.join();
	std::uint64_t expected = total.load();
	bool swapped = total.compare_exchange_strong(expected, expected + 1);
	std::once_flag once;
	std::call_once(once, [] { std::cout << "once\n"; });
	std::cout << sum << ' ' << total << ' ' << swapped << '\n';
}
`

// TestThreads is the cc recipe with the parts of C++ that lean on atomic operations, dynamic and static, on every
// platform.
func TestThreads(t *testing.T) {
	needNetwork(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "async.cpp"), []byte(async), 0o644); err != nil {
		t.Fatal(err)
	}
	projectIn(t, dir, eleven, `
[target.dynamic]
recipe = "cc"
sources = ["async.cpp"]
cxxflags = ["-std=c++17", "-pthread"]
ldflags = ["-pthread"]

[target.static]
recipe = "cc"
sources = ["async.cpp"]
cxxflags = ["-std=c++17", "-pthread"]
ldflags = ["-pthread"]
static = true
`)
	build(t, dir)
	// 2^40 + (1+2+3+4) * 1000 * 0x10000001 + 1
	const want = "carried\nonce\n10 3783866197777 1\n"
	onEach(t, eleven, func(t *testing.T, name string) {
		for _, target := range []string{"dynamic", "static"} {
			file := built(dir, name, target)
			checkLinked(t, file, name, target == "dynamic" && name != "linux/arm/v6")
			p, err := platform.Parse(name)
			if err != nil || !isFor(t, file, p) {
				t.Fatal(name, err)
			}
			if r := underQEMU(t, dir, name, file); r.code != 0 || r.stdout != want {
				t.Errorf("%s for %s: %v\nwant:\n%s", target, name, r, want)
			}
		}
	})
}
