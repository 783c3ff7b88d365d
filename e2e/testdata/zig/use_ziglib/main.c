#include <stdio.h>
#include <ziglib.h>
int main(void) {
    unsigned numbers[] = {3, 4, 4000000000u};
    printf("%llu\n", ziglib_sum(numbers, 3));
}
