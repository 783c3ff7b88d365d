#include "chunks.hpp"

#include <algorithm>
#include <array>
#include <future>

#include <openssl/evp.h>
#include <zlib.h>

namespace chunks {

std::string sha256(std::string_view text) {
	std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
	unsigned int size = 0;
	if (!EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr))
		throw std::runtime_error("OpenSSL has no SHA-256");
	static constexpr char digits[] = "0123456789abcdef";
	std::string hex;
	for (unsigned int i = 0; i < size; i++) {
		hex += digits[digest[i] >> 4];
		hex += digits[digest[i] & 15];
	}
	return hex;
}

static Chunk pack(std::string_view text) {
	uLongf size = compressBound(static_cast<uLong>(text.size()));
	std::string packed(size, '\0');
	int result = compress(reinterpret_cast<Bytef *>(packed.data()), &size,
	                      reinterpret_cast<const Bytef *>(text.data()), static_cast<uLong>(text.size()));
	if (result != Z_OK)
		throw std::runtime_error(zError(result));
	packed.resize(size);
	return {packed, text.size(), sha256(text)};
}

std::vector<Chunk> split(std::string_view text, std::size_t size) {
	std::vector<std::future<Chunk>> running;
	for (; !text.empty(); text.remove_prefix(std::min(size, text.size())))
		running.push_back(std::async(std::launch::async, pack, text.substr(0, size)));
	std::vector<Chunk> chunks;
	for (auto &r : running)
		chunks.push_back(r.get());
	return chunks;
}

std::string unpack(const Chunk &chunk) {
	std::string text(chunk.size, '\0');
	uLongf size = static_cast<uLongf>(text.size());
	int result = uncompress(reinterpret_cast<Bytef *>(text.data()), &size,
	                        reinterpret_cast<const Bytef *>(chunk.packed.data()), static_cast<uLong>(chunk.packed.size()));
	if (result != Z_OK)
		throw Mismatch(zError(result));
	if (size != chunk.size)
		throw Mismatch("the size is another");
	if (sha256(text) != chunk.sha256)
		throw Mismatch("the digest is another");
	return text;
}

} // namespace chunks
