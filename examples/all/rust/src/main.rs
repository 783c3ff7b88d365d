//! Says how it was built and for what, then does some work whose result is the
//! same everywhere: 64-bit integers, floating point, a thread, a panic.

use std::panic;
use std::thread;

fn main() {
    println!("hello from rust on {}", env!("HELLO_ARCH"));

    let sum = thread::spawn(|| (1..=1000).map(f64::from).fold(0.0, |s, k| s + 1.0 / k / k));
    let crc = crc32(&random_bytes(65536));
    let sum = sum.join().expect("the thread panicked");

    panic::set_hook(Box::new(|_| ())); // says nothing of the panic that is meant
    let bytes = random_bytes(4);
    if panic::catch_unwind(|| bytes[bytes.len()]).is_ok() {
        panic!("the index was out of range and nothing happened");
    }
    println!("work: crc32 {crc:08x}, sum {sum:.6}, thread joined, panic caught");
}

/// On 32-bit platforms the remainder is a call into the compiler's library.
fn random_bytes(n: usize) -> Vec<u8> {
    let mut x = 88172645463325252u64;
    (0..n)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x % 251) as u8
        })
        .collect()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xedb88320 & (c & 1).wrapping_neg()))
    })
}
