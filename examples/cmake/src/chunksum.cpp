// Splits a text into packed chunks, puts it together again, and damages some
// chunks to see that it is noticed.

#include <iostream>
#include <string>

#include "arch.h"
#include "chunks.hpp"

int main() try {
	std::cout << "chunksum on " ARCH << std::endl;

	std::string text;
	for (int i = 1; i <= 10000; i++)
		text += std::to_string(i) + (i % 20 == 0 ? '\n' : ' ');
	std::cout << text.size() << " bytes, sha256 " << chunks::sha256(text) << '\n';

	auto packed = chunks::split(text, 4096);
	std::string joined;
	for (const auto &chunk : packed)
		joined += chunks::unpack(chunk);
	std::cout << packed.size() << " chunks, " << (joined == text ? "the same text again" : "another text") << '\n';

	packed.at(0).sha256[0] ^= 1;
	packed.at(1).packed[0] ^= 0x40;
	packed.at(2).size--;
	int wrong = 0;
	for (const auto &chunk : packed) {
		try {
			chunks::unpack(chunk);
		} catch (const chunks::Mismatch &) {
			wrong++;
		}
	}
	std::cout << wrong << " wrong chunks found\n";
	return joined == text && wrong == 3 ? 0 : 1;
} catch (const std::exception &e) {
	std::cerr << "chunksum: " << e.what() << '\n';
	return 1;
}
