#include <dyn/dyn.h>
#include <greet.h>
#include <stdio.h>
int main(void) { printf("%s %d\n", greet(), dyn()); return 0; }
