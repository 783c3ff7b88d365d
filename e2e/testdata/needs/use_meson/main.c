#include <greet.h>
#include <pclib.h>
#include <stdio.h>
#include "generated.h"
int main(void) { printf("%s %d %d\n", greet(), pclib() + MORE, GENERATED); return 0; }
