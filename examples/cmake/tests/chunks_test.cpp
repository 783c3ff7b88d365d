#include <iostream>

#include "chunks.hpp"

static int failures = 0;

static void expect(bool ok, const char *what) {
	if (!ok) {
		std::cerr << "not so: " << what << '\n';
		failures++;
	}
}

int main() {
	// FIPS 180-2, appendix B.1.
	expect(chunks::sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	       "sha256 of \"abc\" is the standard's");
	expect(chunks::split("", 10).empty(), "no text, no chunks");

	auto parts = chunks::split("seventeen letters", 5);
	expect(parts.size() == 4, "17 letters make 4 chunks of 5");
	std::string joined;
	for (const auto &p : parts)
		joined += chunks::unpack(p);
	expect(joined == "seventeen letters", "the chunks make the text again");

	auto damaged = parts.at(0);
	damaged.sha256 = parts.at(1).sha256;
	try {
		chunks::unpack(damaged);
		expect(false, "a wrong digest is found");
	} catch (const chunks::Mismatch &e) {
		expect(std::string(e.what()) == "the digest is another", "the digest is what is wrong");
	}
	return failures == 0 ? 0 : 1;
}
