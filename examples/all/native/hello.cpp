// Says how it was built and for what, then does some work whose result is the
// same everywhere: threads, a 64-bit atomic, floating point, an exception, a library.

#include <atomic>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <zlib.h>

#include "arch.h"

namespace {

// On 32-bit platforms the shifts and the remainder are calls into the compiler's library.
std::vector<unsigned char> random_bytes(std::size_t size) {
	std::vector<unsigned char> bytes(size);
	std::uint64_t x = 88172645463325252u;
	for (auto &b : bytes) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		b = static_cast<unsigned char>(x % 251);
	}
	return bytes;
}

std::vector<unsigned char> round_trip(const std::vector<unsigned char> &bytes) {
	uLongf packed_size = compressBound(bytes.size());
	std::vector<unsigned char> packed(packed_size), unpacked(bytes.size());
	uLongf size = unpacked.size();
	if (compress(packed.data(), &packed_size, bytes.data(), bytes.size()) != Z_OK ||
	    uncompress(unpacked.data(), &size, packed.data(), packed_size) != Z_OK || size != bytes.size())
		throw std::runtime_error("zlib did not give back what it got");
	return unpacked;
}

// Where 64-bit atomics are no instruction, they come from libatomic.
std::uint64_t count_in_threads() {
	std::atomic<std::uint64_t> total{0};
	std::vector<std::thread> threads;
	for (int t = 0; t < 4; t++)
		threads.emplace_back([&total] {
			for (int i = 0; i < 1000; i++)
				total += 10000000000;
		});
	for (auto &t : threads)
		t.join();
	return total;
}

double basel_sum() {
	double s = 0;
	for (int k = 1; k <= 1000; k++)
		s += 1.0 / k / k;
	return s;
}

bool exception_is_caught() {
	try {
		(void)std::string("short").at(99);
	} catch (const std::out_of_range &) {
		return true;
	}
	return false;
}

} // namespace

int main() {
	std::cout << "hello from " HELLO_FROM " on " ARCH << std::endl;

	auto bytes = round_trip(random_bytes(65536));
	auto crc = crc32(0, bytes.data(), static_cast<uInt>(bytes.size()));
	if (!exception_is_caught())
		return 1;
	std::cout << "work: crc32 " << std::hex << std::setw(8) << std::setfill('0') << crc << std::dec
	          << ", sum " << std::fixed << std::setprecision(6) << basel_sum()
	          << ", threads counted " << count_in_threads() << ", exception caught\n";
}
