#include <libgolib.h>
#include <stdio.h>
int main(void) { printf("%d\n", golib(21)); return 0; }
