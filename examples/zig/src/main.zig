const std = @import("std");
const builtin = @import("builtin");

extern fn sieve(composite: [*]u8, n: c_int) c_int;
extern fn printf(format: [*:0]const u8, ...) c_int;

/// GOARCH of the platform that this is compiled for, which xbuild's names have too.
const arch = switch (builtin.cpu.arch) {
    .x86_64 => "amd64",
    .x86 => "386",
    .aarch64 => "arm64",
    .arm => if (builtin.cpu.has(.arm, .has_v7)) "arm/v7" else if (builtin.cpu.has(.arm, .has_v6)) "arm/v6" else "arm/v5",
    .powerpc64le => "ppc64le",
    .mips64el => "mips64le",
    .loongarch64 => "loong64",
    else => @tagName(builtin.cpu.arch),
};

fn count(comptime n: usize) c_int {
    var composite: [n]u8 = @splat(0);
    return sieve(&composite, n);
}

pub fn main() void {
    _ = printf("primes on " ++ arch ++ "\n");
    inline for (.{ 100, 10_000, 100_000 }) |n| {
        _ = printf("%6d: %d\n", @as(c_int, n), count(n));
    }
}

test "primes below a hundred" {
    try std.testing.expectEqual(25, count(100));
}
