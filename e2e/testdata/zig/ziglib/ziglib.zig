export fn ziglib_sum(numbers: [*]const c_uint, count: c_ulong) c_ulonglong {
    var sum: u64 = 0;
    for (numbers[0..count]) |n| sum += @as(u64, n) * n;
    return sum / 3;
}
