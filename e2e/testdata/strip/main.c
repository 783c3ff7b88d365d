#include <stdio.h>
#ifdef BEYOND
int beyond(int);
#else
static int beyond(int n) { return n; }
#endif
static __attribute__((noinline)) int inner(int n) { return n * WAY + 3; }
int work(int n) { return n > 4 ? beyond(n) : inner(n); }
#ifndef NOMAIN
int main(int argc, char **argv)
{
	printf("%d\n", work(argc));
	return argv[argc] != 0;
}
#endif
