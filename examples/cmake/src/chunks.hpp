#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace chunks {

// A Chunk is a piece of a text, packed, with the digest of what it was.
struct Chunk {
	std::string packed;
	std::size_t size;
	std::string sha256;
};

// A Mismatch is thrown where a chunk does not give back the text it was made of.
class Mismatch : public std::runtime_error {
	using std::runtime_error::runtime_error;
};

// sha256 returns the digest of text in hexadecimal digits.
std::string sha256(std::string_view text);

// split cuts text into chunks of size bytes and packs them, each in a thread.
std::vector<Chunk> split(std::string_view text, std::size_t size);

// unpack returns the chunk's text, or throws a Mismatch.
std::string unpack(const Chunk &chunk);

} // namespace chunks
