fn main() {
    println!("cargo:rerun-if-changed=adler.c");
    cc::Build::new().file("adler.c").compile("adler");
}
