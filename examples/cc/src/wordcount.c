// Packs a text with zlib, unpacks it again, counts its words in an SQLite
// database in memory and prints the most frequent.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>
#include <zlib.h>

#include "arch.h"
#include "fletcher.h"
#include "words.h"

static const char text[] =
    "A compiler reads a program and writes a program. Where the program that it\n"
    "writes runs on another machine than the compiler, it is a cross compiler.\n"
    "To the program that is all the same: a compiler is a program, too.\n";

static void stop(const char *what, const char *why) {
	fprintf(stderr, "wordcount: %s: %s\n", what, why);
	exit(1);
}

static void check(sqlite3 *db, int result, const char *what) {
	if (result != SQLITE_OK && result != SQLITE_ROW && result != SQLITE_DONE)
		stop(what, sqlite3_errmsg(db));
}

// round_trip returns a copy of text that went through zlib.
static char *round_trip(void) {
	uLongf packed_size = compressBound(sizeof text), size = sizeof text;
	Bytef *packed = malloc(packed_size), *copy = malloc(size);
	if (!packed || !copy)
		stop("text", "out of memory");
	int result = compress(packed, &packed_size, (const Bytef *)text, sizeof text);
	if (result != Z_OK)
		stop("compress", zError(result));
	result = uncompress(copy, &size, packed, packed_size);
	if (result != Z_OK)
		stop("uncompress", zError(result));
	printf("packed: %s\n", packed_size < size ? "smaller" : "not smaller");
	free(packed);
	return (char *)copy;
}

int main(void) {
	printf("wordcount on " ARCH "\n");
	char *copy = round_trip();
	printf("fletcher64: %016" PRIx64 "\n", fletcher64(copy, strlen(copy)));

	sqlite3 *db;
	int opened = sqlite3_open(":memory:", &db);
	check(db, opened, "open");
	check(db, sqlite3_exec(db, "CREATE TABLE words (word TEXT PRIMARY KEY, n INTEGER NOT NULL)", NULL, NULL, NULL), "create");

	sqlite3_stmt *count;
	check(db, sqlite3_prepare_v2(db, "INSERT INTO words VALUES (?, 1) ON CONFLICT (word) DO UPDATE SET n = n + 1", -1, &count, NULL), "prepare");
	char word[32];
	for (const char *p = copy; next_word(&p, word, sizeof word) > 0;) {
		check(db, sqlite3_bind_text(count, 1, word, -1, SQLITE_TRANSIENT), "bind");
		check(db, sqlite3_step(count), "insert");
		check(db, sqlite3_reset(count), "reset");
	}
	sqlite3_finalize(count);

	sqlite3_stmt *top;
	check(db, sqlite3_prepare_v2(db, "SELECT word, n FROM words ORDER BY n DESC, word LIMIT 4", -1, &top, NULL), "select");
	while (sqlite3_step(top) == SQLITE_ROW)
		printf("%s %d\n", (const char *)sqlite3_column_text(top, 0), sqlite3_column_int(top, 1));
	sqlite3_finalize(top);

	sqlite3_close(db);
	free(copy);
	return 0;
}
