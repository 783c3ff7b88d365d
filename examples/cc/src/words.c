#include "words.h"

#include <ctype.h>

size_t next_word(const char **text, char *word, size_t size) {
	const char *p = *text;
	while (*p && !isalpha((unsigned char)*p))
		p++;
	size_t n = 0;
	for (; isalpha((unsigned char)*p); p++)
		if (n + 1 < size)
			word[n++] = (char)tolower((unsigned char)*p);
	word[n] = '\0';
	*text = p;
	return n;
}
