const std = @import("std");

pub fn build(b: *std.Build) void {
    const module = b.createModule(.{
        .root_source_file = b.path("main.zig"),
        .target = b.standardTargetOptions(.{}),
        .optimize = b.standardOptimizeOption(.{}),
        .link_libc = true,
        .strip = false, // what is small is stripped otherwise, and not audited
    });
    module.addCSourceFile(.{ .file = b.path("wrap.c") });
    module.linkSystemLibrary("greet", .{});
    b.installArtifact(b.addExecutable(.{ .name = "use_greet", .root_module = module }));

    const tests = b.addTest(.{ .root_module = module });
    b.step("test", "run the tests").dependOn(&b.addRunArtifact(tests).step);
}
