#include <greet.h>
const char *wrapped(void) { static char out[32]; return greet(out, sizeof out); }
