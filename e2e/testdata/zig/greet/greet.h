const char *greet(char *out, unsigned long size);
