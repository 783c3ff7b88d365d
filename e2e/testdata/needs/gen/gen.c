#include <stdio.h>
int main(void) { puts("#define GENERATED 42"); return 0; }
