#ifndef FLETCHER_H
#define FLETCHER_H

#include <stddef.h>
#include <stdint.h>

/* fletcher64 is Fletcher's checksum over 32-bit little-endian words; the last one
 * is filled up with zeros. It is the same number on every platform. */
__attribute__((visibility("default"))) uint64_t fletcher64(const void *data, size_t size);

#endif
