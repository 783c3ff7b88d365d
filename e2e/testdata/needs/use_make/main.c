#include <greet.h>
#include <stdio.h>
#include "generated.h"
int main(void) { printf("%s %d\n", greet(), GENERATED); return 0; }
