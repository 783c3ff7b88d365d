// What rustc makes of code that leaves it a choice of instructions. Only exact numbers come out, so that all platforms and releases print the same.
use std::sync::atomic::*;

macro_rules! plain {
    ($s:ident, $q:ident, $($b:ident),*) => { $($s = $s * $q + $b;)* };
}
macro_rules! wrapping {
    ($s:ident, $q:ident, $($b:ident),*) => { $($s = $s.wrapping_mul($q).wrapping_add($b);)* };
}

/// The value, unknown to the optimiser (std::hint::black_box came with 1.66).
fn unknown<T: Copy>(t: T) -> T {
    unsafe { std::ptr::read_volatile(&t) }
}

#[inline(never)]
fn doubles(a: &[f64; 40], q: f64) -> f64 {
    let b0 = a[0] * a[39];
    let b1 = a[1] * a[38];
    let b2 = a[2] * a[37];
    let b3 = a[3] * a[36];
    let b4 = a[4] * a[35];
    let b5 = a[5] * a[34];
    let b6 = a[6] * a[33];
    let b7 = a[7] * a[32];
    let b8 = a[8] * a[31];
    let b9 = a[9] * a[30];
    let b10 = a[10] * a[29];
    let b11 = a[11] * a[28];
    let b12 = a[12] * a[27];
    let b13 = a[13] * a[26];
    let b14 = a[14] * a[25];
    let b15 = a[15] * a[24];
    let b16 = a[16] * a[23];
    let b17 = a[17] * a[22];
    let b18 = a[18] * a[21];
    let b19 = a[19] * a[20];
    let mut s = b19;
    plain!(s, q, b18, b17, b16, b15, b14, b13, b12, b11, b10, b9, b8, b7, b6, b5, b4, b3, b2, b1, b0);
    s
}

#[inline(never)]
fn floats(a: &[f32; 40], q: f32) -> f32 {
    let b0 = a[0] * a[39];
    let b1 = a[1] * a[38];
    let b2 = a[2] * a[37];
    let b3 = a[3] * a[36];
    let b4 = a[4] * a[35];
    let b5 = a[5] * a[34];
    let b6 = a[6] * a[33];
    let b7 = a[7] * a[32];
    let b8 = a[8] * a[31];
    let b9 = a[9] * a[30];
    let b10 = a[10] * a[29];
    let b11 = a[11] * a[28];
    let b12 = a[12] * a[27];
    let b13 = a[13] * a[26];
    let b14 = a[14] * a[25];
    let b15 = a[15] * a[24];
    let b16 = a[16] * a[23];
    let b17 = a[17] * a[22];
    let b18 = a[18] * a[21];
    let b19 = a[19] * a[20];
    let mut s = b19;
    plain!(s, q, b18, b17, b16, b15, b14, b13, b12, b11, b10, b9, b8, b7, b6, b5, b4, b3, b2, b1, b0);
    s
}

#[inline(never)]
fn words(a: &[u32; 40], q: u32) -> u32 {
    let b0 = a[0].wrapping_mul(a[39]);
    let b1 = a[1].wrapping_mul(a[38]);
    let b2 = a[2].wrapping_mul(a[37]);
    let b3 = a[3].wrapping_mul(a[36]);
    let b4 = a[4].wrapping_mul(a[35]);
    let b5 = a[5].wrapping_mul(a[34]);
    let b6 = a[6].wrapping_mul(a[33]);
    let b7 = a[7].wrapping_mul(a[32]);
    let b8 = a[8].wrapping_mul(a[31]);
    let b9 = a[9].wrapping_mul(a[30]);
    let b10 = a[10].wrapping_mul(a[29]);
    let b11 = a[11].wrapping_mul(a[28]);
    let b12 = a[12].wrapping_mul(a[27]);
    let b13 = a[13].wrapping_mul(a[26]);
    let b14 = a[14].wrapping_mul(a[25]);
    let b15 = a[15].wrapping_mul(a[24]);
    let b16 = a[16].wrapping_mul(a[23]);
    let b17 = a[17].wrapping_mul(a[22]);
    let b18 = a[18].wrapping_mul(a[21]);
    let b19 = a[19].wrapping_mul(a[20]);
    let mut s = b19;
    wrapping!(s, q, b18, b17, b16, b15, b14, b13, b12, b11, b10, b9, b8, b7, b6, b5, b4, b3, b2, b1, b0);
    s
}

#[inline(never)]
fn longs(a: &[u64; 40], q: u64) -> u64 {
    let b0 = a[0].wrapping_mul(a[39]);
    let b1 = a[1].wrapping_mul(a[38]);
    let b2 = a[2].wrapping_mul(a[37]);
    let b3 = a[3].wrapping_mul(a[36]);
    let b4 = a[4].wrapping_mul(a[35]);
    let b5 = a[5].wrapping_mul(a[34]);
    let b6 = a[6].wrapping_mul(a[33]);
    let b7 = a[7].wrapping_mul(a[32]);
    let b8 = a[8].wrapping_mul(a[31]);
    let b9 = a[9].wrapping_mul(a[30]);
    let b10 = a[10].wrapping_mul(a[29]);
    let b11 = a[11].wrapping_mul(a[28]);
    let b12 = a[12].wrapping_mul(a[27]);
    let b13 = a[13].wrapping_mul(a[26]);
    let b14 = a[14].wrapping_mul(a[25]);
    let b15 = a[15].wrapping_mul(a[24]);
    let b16 = a[16].wrapping_mul(a[23]);
    let b17 = a[17].wrapping_mul(a[22]);
    let b18 = a[18].wrapping_mul(a[21]);
    let b19 = a[19].wrapping_mul(a[20]);
    let mut s = b19;
    wrapping!(s, q, b18, b17, b16, b15, b14, b13, b12, b11, b10, b9, b8, b7, b6, b5, b4, b3, b2, b1, b0);
    s
}

#[inline(never)]
fn wides(a: &[u128; 40], q: u128) -> u128 {
    let b0 = a[0].wrapping_mul(a[39]);
    let b1 = a[1].wrapping_mul(a[38]);
    let b2 = a[2].wrapping_mul(a[37]);
    let b3 = a[3].wrapping_mul(a[36]);
    let b4 = a[4].wrapping_mul(a[35]);
    let b5 = a[5].wrapping_mul(a[34]);
    let b6 = a[6].wrapping_mul(a[33]);
    let b7 = a[7].wrapping_mul(a[32]);
    let b8 = a[8].wrapping_mul(a[31]);
    let b9 = a[9].wrapping_mul(a[30]);
    let b10 = a[10].wrapping_mul(a[29]);
    let b11 = a[11].wrapping_mul(a[28]);
    let b12 = a[12].wrapping_mul(a[27]);
    let b13 = a[13].wrapping_mul(a[26]);
    let b14 = a[14].wrapping_mul(a[25]);
    let b15 = a[15].wrapping_mul(a[24]);
    let b16 = a[16].wrapping_mul(a[23]);
    let b17 = a[17].wrapping_mul(a[22]);
    let b18 = a[18].wrapping_mul(a[21]);
    let b19 = a[19].wrapping_mul(a[20]);
    let mut s = b19;
    wrapping!(s, q, b18, b17, b16, b15, b14, b13, b12, b11, b10, b9, b8, b7, b6, b5, b4, b3, b2, b1, b0);
    s
}

#[inline(never)]
fn loops(d: &mut [f64], f: &mut [f32], i: &mut [i32], b: &[u8], l: &mut [i64]) -> f64 {
    for (d, f) in d.iter_mut().zip(f.iter()) {
        *d = *d * 2.0 + *f as f64;
    }
    for f in f.iter_mut() {
        *f = if *f > 3.0 { *f } else { -*f };
    }
    for ((i, l), (d, f)) in i.iter_mut().zip(l.iter_mut()).zip(d.iter().zip(f.iter())) {
        *i = *d as i32;
        *l = *f as i64 * *i as i64;
    }
    let sum: i32 = i.iter().map(|x| x * x).sum();
    let bytes: u32 = b.iter().map(|&x| if x.wrapping_mul(3) > 100 { x as u32 } else { !x as u32 }).sum();
    let all: f64 = l.iter().zip(d.iter()).map(|(&l, &d)| l as f64 + d).sum();
    all + sum as f64 + bytes as f64 + *i.iter().max().unwrap() as f64 + b.iter().filter(|&&x| x > 99).count() as f64
}

#[inline(never)]
fn bits(x: u64, y: u32, z: u16, w: u128) -> u64 {
    let mut r = (x.count_ones() + 3 * y.count_ones() + 5 * x.leading_zeros() + 7 * y.leading_zeros() + 11 * x.trailing_zeros() + 13 * y.trailing_zeros()) as u64;
    r ^= x.swap_bytes() ^ y.swap_bytes() as u64 ^ z.swap_bytes() as u64 ^ x.reverse_bits();
    r = r.wrapping_add(x.rotate_left(y & 63)).wrapping_add(y.rotate_right(z as u32 & 31) as u64).wrapping_add(x & !(y as u64)).wrapping_add(x % 10 + x / 7);
    r = r.wrapping_add((w / (x as u128 | 1) >> 20) as u64).wrapping_add((w % (y as u128 | 1)) as u64).wrapping_add((w.count_ones() + w.leading_zeros() + w.trailing_zeros()) as u64);
    r.wrapping_add((x as i64 * 3 >> 7).abs() as u64).wrapping_add(x.max(y as u64)).wrapping_add(x.saturating_add(x) >> 3).wrapping_add(y.checked_mul(z as u32).unwrap_or(77) as u64)
}

#[inline(never)]
fn converts(d: f64, f: f32, l: i64, u: u64, i: i32, w: u32, t: u128) -> f64 {
    let mut r = l as f64 + u as f64 + i as f64 + w as f64 + (l as f32) as f64 + (u as f32) as f64 + (i as f32) as f64 + (w as f32) as f64 + f as f64 + t as f64;
    r += d as i64 as f64 + d as u64 as f64 + d as i32 as f64 + d as u32 as f64 + f as i64 as f64 + f as u64 as f64 + f as i32 as f64 + f as u32 as f64 + d as u128 as f64 + d as i128 as f64;
    r + (d as f32) as f64 + d as i16 as f64 + f as u8 as f64 + (d.to_bits() >> 40) as f64 + (f.to_bits() >> 20) as f64
}

#[inline(never)]
fn rounds(d: f64, f: f32) -> f64 {
    let mut r = d.floor() + d.ceil() + d.trunc() + d.round() + d.abs() + d.copysign(-1.0) + d.min(3.0) + d.max(3.0) + (d * d).sqrt() + d.mul_add(2.0, 1.0) + d.powi(3) + d.clamp(0.0, 2.0);
    r += (f.floor() + f.ceil() + f.trunc() + f.round() + f.abs() + f.copysign(-1.0) + f.min(3.0) + f.max(3.0) + (f * f).sqrt() + f.mul_add(2.0, 1.0)) as f64;
    r + d % 2.0 + d.rem_euclid(2.0) + 0f64.sin() + 0f64.exp() + 1f64.ln() + 2f64.powf(10.0) + 0f64.atan2(1.0) + d.is_nan() as u8 as f64
}

#[cfg(target_has_atomic = "64")]
fn wide_atomics() -> u64 {
    static Q: AtomicU64 = AtomicU64::new(40);
    let mut r = Q.fetch_add(2, Ordering::SeqCst);
    r += Q.compare_exchange(42, 99, Ordering::AcqRel, Ordering::Acquire).unwrap();
    r += Q.swap(7, Ordering::Acquire);
    r += Q.fetch_or(8, Ordering::Release);
    r += Q.fetch_max(20, Ordering::SeqCst);
    r + Q.load(Ordering::Acquire)
}

#[cfg(not(target_has_atomic = "64"))] // armv5te
fn wide_atomics() -> u64 {
    40 + 42 + 99 + 7 + 15 + 20
}

#[inline(never)]
fn atomics() -> u64 {
    static W: AtomicU32 = AtomicU32::new(30);
    static H: AtomicU16 = AtomicU16::new(20);
    static B: AtomicU8 = AtomicU8::new(10);
    let mut r = W.fetch_add(2, Ordering::SeqCst) as u64;
    r += W.fetch_xor(3, Ordering::Relaxed) as u64;
    r += H.swap(9, Ordering::SeqCst) as u64;
    r += H.fetch_nand(5, Ordering::SeqCst) as u64;
    r += B.fetch_sub(1, Ordering::SeqCst) as u64;
    fence(Ordering::SeqCst);
    r + H.load(Ordering::Acquire) as u64 + W.load(Ordering::SeqCst) as u64 + wide_atomics()
}

#[inline(never)]
fn copies(to: &mut [u8], from: &[u8], n: usize) -> u32 {
    let mut a = [0x5au8; 200];
    let mut b = [0u8; 200];
    b.copy_from_slice(&from[..200]);
    a[3..40].copy_from_slice(&b[1..38]);
    a.copy_within(0..64, 5);
    b[100..161].fill(0);
    to[..200].copy_from_slice(&a);
    to.copy_within(0..n, 7);
    to[40..40 + n].fill(b'x');
    to.iter().fold((a > b) as u32 + (a == b) as u32, |s, &x| s.wrapping_mul(31).wrapping_add(x as u32))
}

fn main() {
    let one = unknown(1u8);
    let (mut d, mut f, mut i, mut l, mut b) = ([0f64; 61], [0f32; 61], [0i32; 61], [0i64; 61], [0u8; 61]);
    let (mut w, mut u, mut t) = ([0u32; 40], [0u64; 40], [0u128; 40]);
    for k in 0..61 {
        d[k] = k as f64 + 0.5 * one as f64;
        f[k] = k as f32 - 3.5 * one as f32;
        i[k] = k as i32 * 7 - 90 * one as i32;
        b[k] = (k * 11) as u8;
    }
    for k in 0..40 {
        u[k] = 0x9e3779b97f4a7c15u64.wrapping_mul(k as u64 + one as u64);
        w[k] = u[k] as u32;
        t[k] = (u[k] as u128) << 64 | u[39 - k] as u128;
    }
    let (mut d40, mut f40) = ([0f64; 40], [0f32; 40]);
    d40.copy_from_slice(&d[..40]);
    f40.copy_from_slice(&f[..40]);
    println!("live {} {} {} {} {:x}", doubles(&d40, one as f64), floats(&f40, one as f32), words(&w, one as u32), longs(&u, one as u64), wides(&t, one as u128));
    println!("loops {}", loops(&mut d, &mut f, &mut i, &b, &mut l));
    println!("bits {:x}", bits(u[5] >> 3, w[9], u[3] as u16, t[7]));
    let n = one as i32;
    println!("converts {}", converts(42.75 * n as f64, 17.5 * n as f32, -1234567 * n as i64, 7654321 * n as u64, -77 * n, 99 * n as u32, (1u128 << 40) * one as u128));
    println!("rounds {}", rounds(2.5 * n as f64, 6.25 * n as f32));
    println!("atomics {}", atomics());
    let from: Vec<u8> = (0..400).map(|k| (k * n) as u8).collect();
    println!("copies {}", copies(&mut [0; 300], &from, 33 * n as usize));
    println!("library {:?} {:?} {:e} {:.2}", "1.5e3".parse::<f64>(), "2.25".parse::<f32>(), unknown(1234.5f64), unknown(0.125f64));
}
