const std = @import("std");

pub fn build(b: *std.Build) void {
    const module = b.createModule(.{
        .root_source_file = b.path("src/main.zig"),
        .target = b.standardTargetOptions(.{}),
        .optimize = b.standardOptimizeOption(.{}),
        .link_libc = true,
    });
    module.addCSourceFile(.{ .file = b.path("src/sieve.c") });
    b.installArtifact(b.addExecutable(.{ .name = "primes", .root_module = module }));

    const tests = b.addTest(.{ .root_module = module });
    b.step("test", "run the tests").dependOn(&b.addRunArtifact(tests).step);
}
