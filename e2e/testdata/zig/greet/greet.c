#include "greet.h"
#include <stdio.h>
const char *greet(char *out, unsigned long size) { snprintf(out, size, "hello %.1f", 2.5); return out; }
