/* Calls work() of labels.asm where the machine has what it needs, through a pointer that is kept; or, with NEVER, on every machine. */
#include <stdio.h>

int work(int n);
static int plain(int n) { (void)n; return 0; }

int main(int argc, char **argv)
{
	int (*f)(int) = plain;
	(void)argv;
#ifdef NEVER
	f = work;
#else
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2"))
		f = work;
#endif
	printf("%d\n", f(argc));
	return 0;
}
