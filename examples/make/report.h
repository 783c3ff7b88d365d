#ifndef REPORT_H
#define REPORT_H

#include <stddef.h>

/* report prints size, CRC-32 and Adler-32 of data on one line. */
void report(const char *name, const unsigned char *data, size_t size);

#endif
