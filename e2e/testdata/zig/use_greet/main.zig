const std = @import("std");

extern fn wrapped() [*:0]const u8;
extern fn puts(s: [*:0]const u8) c_int;

pub fn main() void {
    _ = puts(wrapped());
}

test "greeting" {
    try std.testing.expectEqualStrings("hello 2.5", std.mem.span(wrapped()));
}
