fn main() {
    pkg_config::Config::new().atleast_version("2").probe("pclib").unwrap();
    println!("cargo:rustc-link-lib=twice");
}
