#include <rustlib.h>
#include <stdio.h>
int main(void) { printf("%d\n", rustlib(9)); return 0; }
