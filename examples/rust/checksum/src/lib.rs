//! Adler-32, in C.

mod c {
    extern "C" {
        pub fn adler32(data: *const u8, len: usize) -> u32;
    }
}

pub fn adler32(data: &[u8]) -> u32 {
    unsafe { c::adler32(data.as_ptr(), data.len()) }
}

#[test]
fn of_nothing() {
    assert_eq!(adler32(b""), 1);
}

#[test]
fn of_a_name() {
    assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
}
