package e2e

import "xbuild/internal/platform"

// module are the files of a Go program.
func module(mod, code string) map[string]string {
	return map[string]string{"go.mod": "module app\n\ngo 1.19\n" + mod, "main.go": "package main\n\n" + code}
}

// oldSys is golang.org/x/sys of before Go's port to linux/riscv64.
var oldSys = module("\nrequire golang.org/x/sys v0.0.0-20180909124046-d0be0721c37e\n",
	"import (\n\t\"fmt\"\n\n\t\"golang.org/x/sys/unix\"\n)\n\nfunc main() { fmt.Println(unix.Getpid()) }\n")

// hintsOfGo: what Go's compiler and cgo say.
var hintsOfGo = []hintCase{
	{name: "a package with cgo alone", row: "go: build constraints exclude", platform: "linux/arm64", full: true,
		target: "recipe = \"go\"\n",
		files: map[string]string{"go.mod": "module app\n\ngo 1.19\n", "main.go": "package main\n\nimport \"app/answer\"\n\nfunc main() { println(answer.Get()) }\n",
			"answer/a.go": "package answer\n\n// static int get(void) { return 42; }\nimport \"C\"\n\nfunc Get() int { return int(C.get()) }\n"},
		hint: "a package has no Go file for linux/arm64, or wants cgo: write cgo = true into xbuild.toml:3: [target.app]",
		mend: "cgo = true\n"},
	{name: "a package with cgo beside Go", row: `go: [0-9]+: undefined: `, platform: "linux/arm64", full: true,
		target: "recipe = \"go\"\n",
		files: map[string]string{"go.mod": "module app\n\ngo 1.19\n", "main.go": "package main\n\nfunc main() { println(answer()) }\n",
			"a.go": "package main\n\n// #cgo LDFLAGS: -lz\n// #include <zlib.h>\nimport \"C\"\n\nfunc answer() string { return C.GoString(C.zlibVersion()) }\n"},
		hint: "has files that are compiled with cgo alone: write cgo = true into xbuild.toml:3: [target.app], and the -dev package of the C library",
		mend: "cgo = true\n[sysroot]\npackages = [\"zlib1g-dev\"]\n"},
	{name: "a module that takes times of 32 bits", row: "go: _Ctype___(?:time64", platform: "linux/arm/v7", full: true,
		target: "recipe = \"go\"\ncgo = true\n[sysroot]\npackages = [\"libpcap-dev\"]\n", files: gopacket,
		before: [][]string{{"exec", "-q", "--", "go", "mod", "tidy"}},
		hint:   "or the packages of before: suite = \"bookworm\" under [platform.\"linux/arm/v7\"]",
		mend:   "[platform.\"linux/arm/v7\"]\nsuite = \"bookworm\"\n"},
	{name: "a call that the machine lacks", row: "go: undefined: (?:unix|syscall)", platform: "linux/arm64", full: true,
		target: "recipe = \"go\"\n",
		files:  module("", "import \"syscall\"\n\nfunc main() { syscall.Syscall(syscall.SYS_DUP2, 1, 2, 0) }\n"),
		hint:   "the source calls the kernel by SYS_DUP2, and there is no such call on linux/arm64: it has to be ported",
		mended: module("", "import \"syscall\"\n\nfunc main() { syscall.Dup3(1, 2, 0) }\n")},
	{name: "a platform without a call", row: "go: undefined: (?:unix|syscall)", platform: "linux/arm64\", \"linux/amd64", full: true,
		target: "recipe = \"go\"\n",
		files:  module("", "import \"syscall\"\n\nfunc main() { syscall.Syscall(syscall.SYS_DUP2, 1, 2, 0) }\n"),
		hint:   "or linux/arm64 left out of platforms in xbuild.toml:3: [target.app]",
		mend:   "platforms = [\"linux/amd64\"]\n"},
	{name: "a module of before the port", row: "go: (?:go-mod|pkg/mod)", platform: "linux/riscv64", full: true,
		target: "recipe = \"go\"\n", files: oldSys, before: [][]string{{"exec", "-q", "--", "go", "mod", "tidy"}},
		hint: "Take a later one: go get golang.org/x/sys@latest in the source",
		do:   [][]string{{"exec", "-q", "--", "go", "get", "golang.org/x/sys@latest"}}},
	{name: "a module of before the port, go.mod as it is", row: "go: (?:go-mod|pkg/mod)", platform: "linux/riscv64", full: true,
		target: "recipe = \"go\"\n[toolchains]\ngo = \"~1.27\"\n", files: oldSys, before: [][]string{{"exec", "-q", "--", "go", "mod", "tidy"}},
		hint: "cp go.mod later.mod && cp go.sum later.sum && go get -modfile=later.mod golang.org/x/sys@latest and options = [\"-modfile=later.mod\"]",
		do: [][]string{{"exec", "-q", "--", "cp", "go.mod", "later.mod"}, {"exec", "-q", "--", "cp", "go.sum", "later.sum"},
			{"exec", "-q", "--", "go", "get", "-modfile=later.mod", "golang.org/x/sys@latest"}},
		old: "[toolchains]", mend: "options = [\"-modfile=later.mod\"]\n[toolchains]"},
	{name: "Go 1.26 on s390x", row: "go: runs wf(?:max|min)", platform: "linux/s390x", full: true,
		target: "recipe = \"go\"\n[toolchains]\ngo = \"~1.26\"\n",
		files:  smallest, hint: "write go = \"~1.27\", or \"~1.24\", into [toolchains]",
		old: "~1.26", mend: "~1.27"},
	{name: "Go 1.26 on s390x, with z14", row: "go: runs wf(?:max|min)", platform: "linux/s390x", full: true,
		target: "recipe = \"go\"\n[toolchains]\ngo = \"~1.26\"\n",
		files:  smallest, hint: "features = [\"z14\"] under [platform.\"linux/s390x\"]",
		mend: "[platform.\"linux/s390x\"]\nfeatures = [\"z14\"]\n"},
}

// gopacket declares a time_t of its own.
var gopacket = module("\nrequire github.com/google/gopacket v1.1.19\n",
	"import (\n\t\"fmt\"\n\n\t\"github.com/google/gopacket/pcap\"\n)\n\nfunc main() { fmt.Println(pcap.Version()) }\n")

// smallest compares floats.
var smallest = with(module("", "import \"os\"\n\nfunc main() {\n\tx := float64(len(os.Args))\n\tprintln(min(x, 2))\n}\n"), "go.mod", "module app\n\ngo 1.21\n")

// crate are the files of a Rust program.
func crate(cargo, code, build string) map[string]string {
	files := map[string]string{"Cargo.toml": "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n" + cargo, "src/main.rs": code}
	if code == "" {
		files["src/main.rs"] = "fn main() {}\n"
	}
	if build != "" {
		files["build.rs"] = build
	}
	return files
}

// hintsOfRust: what rustc, Cargo and build scripts say.
var hintsOfRust = []hintCase{
	{name: "a static library of a crate", row: "rust: could not find native static", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n", files: with(crate("", "", "fn main() {\n    println!(\"cargo:rustc-link-lib=static=expat\");\n}\n"), "src/lib.rs", ""),
		hint:   "or link it without static=",
		mend:   "[sysroot]\npackages = [\"libexpat1-dev\"]\n",
		mended: map[string]string{"build.rs": "fn main() {\n    println!(\"cargo:rustc-link-lib=expat\");\n}\n"}},
	{name: "a static library of a crate that asks pkg-config", row: "rust: could not find native static", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n",
		files: with(crate("[build-dependencies]\npkg-config = \"=0.3.31\"\n", "",
			"fn main() {\n    if pkg_config::Config::new().statik(true).probe(\"zlib\").is_err() {\n        println!(\"cargo:rustc-link-lib=static=z\");\n    }\n}\n"), "src/lib.rs", ""),
		hint: "a crate that asks pkg-config finds it once \"zlib1g-dev\" is in packages in a [sysroot] table in xbuild.toml",
		mend: "[sysroot]\npackages = [\"zlib1g-dev\"]\n"},
	{name: "a crate that rustc refuses by now", row: "rust: /registry/src/", platform: "linux/riscv64", full: true,
		target: "recipe = \"rust\"\n",
		files: map[string]string{"src/main.rs": "fn main() { metrics::counter!(\"n\").increment(1) }\n",
			"Cargo.toml": "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nmetrics = \"=0.22.1\"\n"},
		hint: "crate metrics 0.22.1, which Cargo.lock names, does not compile with this Rust for linux/riscv64",
		mend: "[toolchains]\nrust = \"~1.85\"\n"},
	{name: "a crate that wants a later Rust", row: "rust: requires rustc", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n[toolchains]\nrust = \"~1.85\"\n", files: crate("rust-version = \"1.90\"\n", "", ""),
		hint: "a crate wants Rust 1.90 or later: write rust = \"^1.90\" into [toolchains] in xbuild.toml",
		old:  "~1.85", mend: "^1.90"},
	{name: "an edition that Rust lacks", row: "rust: feature `(edition", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n[toolchains]\nrust = \"~1.63\"\n",
		files:  map[string]string{"Cargo.toml": "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n", "src/main.rs": "fn main() {}\n"},
		hint:   "wants a later Rust: name one in [toolchains] in xbuild.toml",
		old:    "~1.63", mend: "~1.85"},
	{name: "nightly", row: "rust: may not be used on the stable", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n", files: crate("", "#![feature(never_type)]\nfn main() {}\n", ""),
		hint:   "write rust = \"nightly\", or one of a day, into [toolchains]",
		undone: "tests do not ask the public server of Rust's distribution; rust_release.txt takes a release of one of its own"},
	{name: "OpenSSL for a crate", row: "rust: Could not find directory of OpenSSL", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n", files: crate("[dependencies]\nopenssl-sys = \"0.9\"\n", "", ""),
		hint: "crate openssl-sys finds no OpenSSL for linux/arm64: add \"libssl-dev\" to packages in ",
		mend: "[sysroot]\npackages = [\"libssl-dev\"]\n"},
	{name: "MySQL for a crate", row: "rust: Did not find a compatible version of libmysqlclient", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n", files: crate("[dependencies]\nmysqlclient-sys = \"0.4\"\n", "", ""),
		hint: "add \"libmariadb-dev\" to packages in ",
		mend: "[sysroot]\npackages = [\"libmariadb-dev\"]\n"},
	{name: "a crate for newer processors", row: "rust: assertion failed", platform: "linux/amd64", full: true,
		target: "recipe = \"rust\"\n", files: crate("", "const _: () = assert!(cfg!(target_feature = \"avx2\"));\nfn main() {}\n", ""),
		hint: "promise it where all that linux/amd64 stands for have it ([platform.\"linux/amd64\"] features = [\"avx2\"])",
		mend: "[platform.\"linux/amd64\"]\nfeatures = [\"avx2\"]\n"},
	{name: "a crate for newer processors, left out", row: "rust: assertion failed", platform: "linux/amd64\", \"linux/arm64", full: true,
		target: "recipe = \"rust\"\n", files: crate("", "#[cfg(target_arch = \"x86_64\")]\nconst _: () = assert!(cfg!(target_feature = \"avx2\"));\nfn main() {}\n", ""),
		hint: "or leave the platform out in xbuild.toml:3: [target.app]",
		mend: "platforms = [\"linux/arm64\"]\n"},
	// In the words of crates cmake and clang-sys; a copy of them goes by another name in Cargo.lock.
	{name: "cmake of a crate", row: "rust: not found)[^", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n", files: crate("", "", "fn main() {\n    if let Err(e) = std::process::Command::new(\"cmake\").arg(\"--version\").status() {\n"+
			"        panic!(\"failed to execute command: {e}\\nis `cmake` not installed?\");\n    }\n}\n"),
		hint: "names crate cmake, bindgen or clang-sys: xbuild.toml:3: write tools = [\"cmake\"] in [target.app]",
		mend: "tools = [\"cmake\"]\n"},
	{name: "libclang of a crate", row: "rust: not found)[^", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n", files: crate("", "", "fn main() {\n    let dir = std::env::var(\"LIBCLANG_PATH\").expect(\"Unable to find libclang\");\n"+
			"    let found = std::fs::read_dir(dir).unwrap().any(|f| f.unwrap().file_name().to_str().unwrap().starts_with(\"libclang\"));\n"+
			"    assert!(found, \"Unable to find libclang\");\n}\n"),
		hint: "names crate cmake, bindgen or clang-sys: xbuild.toml:3: write tools = [\"libclang\"] in [target.app]",
		mend: "tools = [\"libclang\"]\n"},
	// The cargo of 1.63 reads the index of crates over git alone: a later one vendors them.
	{name: "libclang for a later libc", row: "rust: Unable to find libclang: [", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n[toolchains]\nrust = \"~1.63\"\n", files: bound, before: vendored,
		hint: "name an older one in [toolchains] in xbuild.toml, libclang = \"~14\" for Rust 1.63 of Debian 12",
		mend: "libclang = \"~14\"\n"},
	{name: "protoc of a crate", row: "rust: Could not find `(protoc)`", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n",
		files: with(crate("[dependencies]\nprost = \"=0.13.5\"\n[build-dependencies]\nprost-build = \"=0.13.5\"\n", "", "fn main() {\n    prost_build::compile_protos(&[\"a.proto\"], &[\".\"]).unwrap();\n}\n"),
			"a.proto", "syntax = \"proto3\";\npackage a;\nmessage A { int32 n = 1; }\n"),
		hint: "a build script calls protoc: xbuild.toml:3: write tools = [\"protoc\"] in [target.app]",
		mend: "tools = [\"protoc\"]\n"},
	{name: "Cargo.lock that is behind", row: "rust: --locked was passed", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\nlocked = true\n",
		files:  with(crate("", "", ""), "Cargo.lock", "version = 3\n\n[[package]]\nname = \"app\"\nversion = \"0.0.9\"\n"),
		hint:   "run \"xbuild exec -- cargo update --workspace\" and commit it",
		do:     [][]string{{"exec", "-q", "--", "cargo", "update", "--workspace"}}},
	{name: "Cargo.lock that is behind, not locked", row: "rust: --locked was passed", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\nlocked = true\n[toolchains]\nrust = \"~1.85\"\n",
		files:  with(crate("", "", ""), "Cargo.lock", "version = 3\n\n[[package]]\nname = \"app\"\nversion = \"0.0.9\"\n"),
		hint:   "or take locked = true out of xbuild.toml:3: [target.app]",
		old:    "locked = true\n"},
	{name: "native for Rust", row: "rust: is not a recognized processor for this target|unknown target CPU", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\nrustflags = [\"-Ctarget-cpu=native\"]\n", files: crate("", "", ""),
		hint: "target-cpu=native asks for the processor of the machine that compiles",
		old:  "rustflags = [\"-Ctarget-cpu=native\"]\n"},
	{name: "a feature that Rust lacks", row: "rust: unknown and unstable", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\nrustflags = [\"-Ctarget-feature=+neonn\"]\n", files: crate("", "", ""),
		hint: "rustc does not know neonn for linux/arm64: see rustflags and env in xbuild.toml:3: [target.app]",
		old:  "+neonn", mend: "+neon"},
	// fmod has a symbol of its own in glibc 2.38, which is trixie's (libm's Versions).
	{name: "a build script for a later libc", row: "rust: build-script-build: [", platform: platform.Host().Name, full: true,
		target: "recipe = \"rust\"\n[toolchains]\nrust = \"~1.63\"\n",
		files:  crate("", "", modulo),
		hint:   "write suite = \"bookworm\" in a [sysroot] table in xbuild.toml for Rust 1.63 of Debian 12",
		mend:   "[sysroot]\nsuite = \"bookworm\"\n"},
	{name: "a build script for a later libc, with a newer Rust", row: "rust: build-script-build: [", platform: platform.Host().Name, full: true,
		target: "recipe = \"rust\"\n[toolchains]\nrust = \"~1.63\"\n",
		files:  crate("", "", modulo),
		hint:   "or take a newer Rust",
		old:    "~1.63", mend: "~1.85"},
	{name: "crates that are not there", row: "rust: attempting to make an HTTP", platform: "linux/arm64", full: true,
		target: "recipe = \"rust\"\n", files: crate("[dependencies]\nitoa = \"=1.0.3\"\n", "", ""),
		before: [][]string{{"exec", "-q", "-p", "linux/arm64", "--", "cargo", "--version"}},
		args:   []string{"--offline"}, home: true,
		hint: "run \"xbuild fetch\" while there is a network",
		do:   [][]string{{"fetch", "-q"}}},
}

// bound calls bindgen, of releases that Rust 1.63 takes, in both of its directories.
var (
	bound = map[string]string{"Cargo.toml": bindgen, "v/Cargo.toml": bindgen, "src/main.rs": "fn main() {}\n", "v/src/main.rs": "fn main() {}\n",
		"build.rs": "fn main() {\n    bindgen::Builder::default().header(\"a.h\").generate().unwrap();\n}\n", "a.h": "int twice(int n);\n",
		".cargo/config.toml": "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"\n",
		"v/xbuild.toml":      "[project]\nplatforms = [\"linux/arm64\"]\n"}
	vendored = [][]string{{"exec", "-q", "-C", "v", "--", "sh", "-ec",
		"CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=fallback cargo vendor -q ../vendor; cp Cargo.lock .."}}
)

const bindgen = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\nrust-version = \"1.63\"\n[build-dependencies]\nbindgen = \"=0.63.0\"\n"

const modulo = "fn main() {\n    let n = std::env::args().count() as f64;\n    println!(\"cargo:rustc-env=N={}\", n % 0.7);\n}\n"

// with are files and one more.
func with(files map[string]string, name, text string) map[string]string {
	files[name] = text
	return files
}

// hintsElsewhere are the rows that other tests try, and those that none can.
var hintsElsewhere = []struct {
	row  string
	test string // its name
	why  string // where the advice is not done: the reason
}{
	{row: "recipe make: GLIBC_", test: "TestGeneratorOfANewerLibrary"},
	{row: "cmake: GLIBC_", test: "TestGeneratorOfANewerLibrary"},
	{row: "meson: GLIBC_", test: "TestGeneratorOfANewerLibrary"},
	{row: "clang: speaks libstdc", test: "TestStdlibMixed"},
	{row: "clang: std::(__1", test: "TestStdlibMixed"},
	{row: "clang: initializer element", test: "TestGCCOnly"},
	{row: "clang: function definition", test: "TestGCCOnly"},
	{row: "clang: fields must have", test: "TestGCCOnly"},
	{row: "clang: use of unknown builtin", test: "TestGCCOnly"},
	{row: "clang: error in backend", test: "TestGCCOnly"},
	{row: "clang: unknown register name", test: "TestGCCOnly"},
	{row: "clang: error: optimization flag", test: "TestGCCOnly"},
	{row: "clang: GNU decimal type", test: "TestGCCOnly"},
	{row: "clang: unknown directive", test: "TestGCCOnly"},
	{row: "recipe make: found but is not working", why: "binfmt install changes the machine; TestBinfmt does it where it may"},
}
