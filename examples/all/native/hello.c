// Says how it was built and for what, then does some work whose result is the
// same everywhere: 64-bit integers, floating point, a thread, a library.

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "arch.h"

#define SIZE 65536

static unsigned char buffer[SIZE], packed[2 * SIZE], unpacked[SIZE];

// On 32-bit platforms the shifts and the remainder are calls into the compiler's library.
static void fill(void) {
	uint64_t x = 88172645463325252u;
	for (int i = 0; i < SIZE; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buffer[i] = (unsigned char)(x % 251);
	}
}

static void *sum(void *result) {
	double s = 0;
	for (int k = 1; k <= 1000; k++)
		s += 1.0 / k / k;
	*(double *)result = s;
	return result;
}

int main(void) {
	printf("hello from " HELLO_FROM " on " ARCH "\n");

	double s = 0;
	pthread_t thread;
	if (pthread_create(&thread, NULL, sum, &s) != 0) {
		fprintf(stderr, "no thread\n");
		return 1;
	}
	fill();
	uLongf packed_size = sizeof packed, size = sizeof unpacked;
	if (compress(packed, &packed_size, buffer, SIZE) != Z_OK ||
	    uncompress(unpacked, &size, packed, packed_size) != Z_OK ||
	    size != SIZE || memcmp(buffer, unpacked, SIZE) != 0) {
		fprintf(stderr, "zlib did not give back what it got\n");
		return 1;
	}
	unsigned long crc = crc32(0, unpacked, SIZE);
	if (pthread_join(thread, NULL) != 0) {
		fprintf(stderr, "the thread was not joined\n");
		return 1;
	}
	printf("work: crc32 %08lx, sum %.6f, thread joined, zlib round trip\n", crc, s);
	return 0;
}
