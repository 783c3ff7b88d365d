#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>

/* next_word copies the next word of *text, in lower case, into word and moves
 * *text behind it. It returns the word's length, 0 at the end of the text. A word
 * that does not fit is cut. */
size_t next_word(const char **text, char *word, size_t size);

#endif
