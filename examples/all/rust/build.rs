//! Runs on the host and tells the program what it is compiled for, spelled as
//! Docker spells it after "linux/". It comes from the target that rustc was
//! given: on ARM, predefined cfg values do not tell the version.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap();
    let machine = target.split('-').next().unwrap();
    let arch = match machine {
        "x86_64" => "amd64",
        "i686" => "386",
        "aarch64" => "arm64",
        "armv5te" => "arm/v5",
        "arm" => "arm/v6",
        "armv7" => "arm/v7",
        "powerpc64le" => "ppc64le",
        "s390x" => "s390x",
        "riscv64gc" => "riscv64",
        "mips64el" => "mips64le",
        "loongarch64" => "loong64",
        _ => panic!("build.rs has no name for the architecture of {target}"),
    };
    println!("cargo:rustc-env=HELLO_ARCH={arch}");
}
