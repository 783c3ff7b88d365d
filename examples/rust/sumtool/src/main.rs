//! Sums of bytes that a proc macro wrote down and C code adds up.

use hex::hex;

/// The platform as xbuild names it, or what rustc knows where something else builds.
fn platform() -> &'static str {
    match option_env!("XBUILD_PLATFORM") {
        Some(p) => p.trim_start_matches("linux/"),
        None => std::env::consts::ARCH,
    }
}

fn main() {
    println!("sumtool on {}", platform());
    for bytes in [&hex!("57696b697065646961")[..], &hex!("00 01 02 03 fd fe ff")[..]] {
        println!("adler32 of {} bytes: {:08x}", bytes.len(), checksum::adler32(bytes));
    }
    let threads: Vec<_> = (1..=4u32).map(|n| std::thread::spawn(move || checksum::adler32(&vec![n as u8; 100_000]))).collect();
    let sum = threads.into_iter().map(|t| t.join().unwrap()).fold(0u32, u32::wrapping_add);
    println!("four threads: {sum:08x}");
}
