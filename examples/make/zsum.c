// Compresses a file with a zlib stream, block by block, decompresses it the same
// way and prints the checksums of what went in and what came out.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "arch.h"
#include "report.h"

struct bytes {
	unsigned char *data;
	size_t size;
};

static void stop(const char *what, const char *why) {
	fprintf(stderr, "zsum: %s: %s\n", what, why);
	exit(1);
}

static void append(struct bytes *b, const void *data, size_t size) {
	if (size == 0)
		return;
	b->data = realloc(b->data, b->size + size);
	if (!b->data)
		stop("append", strerror(errno));
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

static struct bytes read_file(const char *name) {
	struct bytes all = {0};
	char block[4096];
	size_t n;
	FILE *f = fopen(name, "rb");
	if (!f)
		stop(name, strerror(errno));
	while ((n = fread(block, 1, sizeof block, f)) > 0)
		append(&all, block, n);
	if (ferror(f))
		stop(name, strerror(errno));
	fclose(f);
	return all;
}

static struct bytes own_text(void) {
	struct bytes all = {0};
	char line[64];
	for (int i = 1; i <= 1000; i++)
		append(&all, line, snprintf(line, sizeof line, "%d bottles of beer on the wall\n", i));
	return all;
}

// run feeds in to a stream and returns all that the step makes of it.
static struct bytes run(struct bytes in, z_stream *z, int step(z_stream *, int), const char *name) {
	struct bytes out = {0};
	unsigned char block[1024];
	int result = Z_OK;
	z->next_in = in.data;
	z->avail_in = (uInt)in.size;
	while (result == Z_OK) {
		z->next_out = block;
		z->avail_out = sizeof block;
		result = step(z, Z_FINISH);
		if (result == Z_BUF_ERROR && z->avail_out == 0)
			result = Z_OK; // the block is full, there is more
		append(&out, block, sizeof block - z->avail_out);
	}
	if (result != Z_STREAM_END)
		stop(name, zError(result));
	return out;
}

int main(int argc, char **argv) {
	struct bytes in = argc > 1 ? read_file(argv[1]) : own_text();
	z_stream deflating = {0}, inflating = {0};
	if (deflateInit(&deflating, Z_BEST_COMPRESSION) != Z_OK || inflateInit(&inflating) != Z_OK)
		stop("zlib", "cannot start");

	struct bytes packed = run(in, &deflating, deflate, "deflate");
	struct bytes out = run(packed, &inflating, inflate, "inflate");
	deflateEnd(&deflating);
	inflateEnd(&inflating);

	printf("zsum on " ARCH "\n");
	report("before", in.data, in.size);
	report("after", out.data, out.size);
	puts(packed.size < in.size ? "packed is smaller" : "packed is not smaller");

	int same = in.size == out.size && (in.size == 0 || memcmp(in.data, out.data, in.size) == 0);
	free(in.data);
	free(packed.data);
	free(out.data);
	return same ? 0 : 1;
}
