const std = @import("std");

pub fn build(b: *std.Build) void {
    const lib = b.addLibrary(.{
        .name = "ziglib",
        .linkage = .static,
        .root_module = b.createModule(.{
            .root_source_file = b.path("ziglib.zig"),
            .target = b.standardTargetOptions(.{}),
            .optimize = b.standardOptimizeOption(.{}),
            .strip = false,
            .pic = true, // programs of C are linked for any address
        }),
    });
    lib.installHeader(b.path("include/ziglib.h"), "ziglib.h");
    b.installArtifact(lib);
}
