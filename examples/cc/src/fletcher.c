#include "fletcher.h"

uint64_t fletcher64(const void *data, size_t size) {
	const unsigned char *p = data;
	uint64_t a = 0, b = 0;
	for (size_t i = 0; i < size; i += 4) {
		uint32_t word = 0;
		for (size_t j = 0; j < 4 && i + j < size; j++)
			word |= (uint32_t)p[i + j] << (8 * j);
		a = (a + word) % 0xffffffff;
		b = (b + a) % 0xffffffff;
	}
	return b << 32 | a;
}
