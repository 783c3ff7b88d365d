#include <number.h>
#include <stdio.h>
int main(void) { printf("#define GENERATED %d\n", number()); return 0; }
