use std::ffi::{c_char, c_int, CStr};

#[link(name = "greet", kind = "static")]
extern "C" {
    fn greet() -> *const c_char;
}

extern "C" {
    fn pclib() -> c_int;
    fn twice(n: c_int) -> c_int;
}

fn main() {
    let text = unsafe { CStr::from_ptr(greet()) };
    println!("{} {}", text.to_str().unwrap(), unsafe { twice(pclib()) });
}
