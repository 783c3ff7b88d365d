#include "report.h"

#include <stdio.h>
#include <zlib.h>

void report(const char *name, const unsigned char *data, size_t size) {
	unsigned long crc = crc32_z(crc32_z(0, NULL, 0), data, size);
	unsigned long adler = adler32_z(adler32_z(0, NULL, 0), data, size);
	printf("%-8s %zu bytes, crc32 %08lx, adler32 %08lx\n", name, size, crc, adler);
}
