/* One program a KIND: ways to come to work(), which is compiled for a newer machine. The kinds from 1 to 19 run it on every machine; those from 20 on ask first. Some are shared libraries. */
#include <stdint.h>
#ifdef BARE /* for systems without headers here */
int puts(const char *);
int printf(const char *, ...);
#ifdef __APPLE__
int sysctlbyname(const char *, void *, unsigned long *, void *, unsigned long);
#else
__declspec(dllimport) int __stdcall IsProcessorFeaturePresent(unsigned);
void __main(void) { }
#endif
#else
#include <stdio.h>
#endif
#ifdef __linux__
#include <sys/auxv.h>
#endif

#if KIND == 27 || KIND == 28 || KIND == 29 || KIND == 7
#define LIBRARY /* links this and work() as a shared library, which exports what is not static or hidden */
__attribute__((visibility("hidden")))
#endif
void work(float *a, const float *b, uint64_t *c, const uint8_t *s, int n);
static float a[8], b[8];
static uint64_t c[8];
static uint8_t s[8];

#if defined(BARE) && defined(__APPLE__)
static inline int has(void)
{
	int v = 0;
	unsigned long n = sizeof v;
	return sysctlbyname(FEATURE, &v, &n, 0, 0) == 0 && v;
}
#elif defined(BARE)
static inline int has(void) { return IsProcessorFeaturePresent(40) != 0; }
#elif defined(__i386__) || defined(__x86_64__)
static inline int has(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports(FEATURE) != 0;
}
#else
static inline int has(void) { return (getauxval(AT_HWCAP) >> 7 & 1) != 0; }
#endif

typedef void fn(float *, const float *, uint64_t *, const uint8_t *, int);
static void plain(float *x, const float *y, uint64_t *z, const uint8_t *q, int n) { z[0] += (uint64_t)n + q[0] + (x == y); }
static void call(int n) { work(a, b, c, s, n); }

#if KIND == 1 /* called */
static void go(int n) { call(n); }
#elif KIND == 2 /* called where something else is so */
static void go(int n) { if (n > 5) call(n); else puts("few"); }
#elif KIND == 3 /* through a pointer */
static fn *volatile table[] = { plain, work };
static void go(int n) { table[n & 1](a, b, c, s, n); }
#elif KIND == 4 /* after a question that decides about something else */
static void go(int n) { if (has()) puts("new"); call(n); }
#elif KIND == 5 /* as a constructor */
__attribute__((constructor)) static void early(void) { call(3); }
static void go(int n) { c[0] += (uint64_t)n; }
#elif KIND == 6 /* by a function that the question's variable does not guard */
static int known;
__attribute__((constructor)) static void ask(void) { known = has(); }
__attribute__((noinline)) static void other(int n) { printf("%d\n", known); call(n); }
static void go(int n) { other(n); }
#elif KIND == 7 /* by a library, through a function that another file may replace */
__attribute__((noinline)) void exported(int n) { call(n); }
static void go(int n) { exported(n + 1); }
#elif KIND == 20 /* asked right there */
static void go(int n) { if (has()) call(n); else plain(a, b, c, s, n); }
#elif KIND == 21 /* asked once, and kept in a variable */
static int known;
__attribute__((constructor)) static void ask(void) { known = has(); }
__attribute__((noinline)) static void go(int n) { if (known) call(n); else plain(a, b, c, s, n); }
#elif KIND == 22 /* asked once, and a pointer is kept */
static fn *impl = plain;
__attribute__((constructor)) static void ask(void) { if (has()) impl = work; }
static void go(int n) { impl(a, b, c, s, n); }
#elif KIND == 23 /* asked by a function of its own */
__attribute__((noinline)) static int new_machine(void) { return has(); }
static void go(int n) { if (new_machine()) call(n); else plain(a, b, c, s, n); }
#elif KIND == 24 /* chosen when the program is loaded */
static fn *resolve(void)
{
#if defined(__i386__) || defined(__x86_64__)
	return has() ? work : plain;
#else
	extern char **environ;
	return ((uintptr_t)&environ >> 4 & 1) ? work : plain;
#endif
}
void variant(float *, const float *, uint64_t *, const uint8_t *, int) __attribute__((ifunc("resolve")));
static void go(int n) { variant(a, b, c, s, n); }
#elif KIND == 25 /* two calls deep */
__attribute__((noinline)) static void deeper(int n) { call(n); }
__attribute__((noinline)) static void deep(int n) { deeper(n); puts("new"); }
static void go(int n) { if (has()) deep(n); else plain(a, b, c, s, n); }
#elif KIND == 26 /* asked of the kernel's file */
static unsigned long caps;
__attribute__((constructor)) static void ask(void)
{
	unsigned long pair[2];
	FILE *f = fopen("/proc/self/auxv", "r");
	while (f && fread(pair, sizeof pair, 1, f) == 1)
		if (pair[0] == AT_HWCAP)
			caps = pair[1];
}
__attribute__((noinline)) static void go(int n) { if (caps >> 7 & 1) call(n); else plain(a, b, c, s, n); }
#elif KIND == 27 /* asked by a function that another file may replace, of what the library learned before */
static int known, use;
__attribute__((noinline)) int has_new_machine(void) { return known; }
__attribute__((noinline)) void learn(void) { known = has(); }
__attribute__((noinline)) void start(void) { learn(); use = has_new_machine(); }
__attribute__((noinline)) static void go(int n) { if (use) call(n); else plain(a, b, c, s, n); }
#elif KIND == 28 || KIND == 29 /* chosen by a table that the compiler makes of a switch: one with functions of another file, one without */
static fn *impl = plain;
#if KIND == 28
void other1(float *, const float *, uint64_t *, const uint8_t *, int), other2(float *, const float *, uint64_t *, const uint8_t *, int);
#else
static void other1(float *x, const float *y, uint64_t *z, const uint8_t *q, int n) { plain(x, y, z, q, n + 1); }
static void other2(float *x, const float *y, uint64_t *z, const uint8_t *q, int n) { plain(x, y, z, q, n + 2); }
#endif
void choose(int n)
{
	fn *f = plain;
	if (has())
		switch (n) {
		case 0: f = other1; break;
		case 1: f = work; break;
		case 2: f = other2; break;
		case 3: f = work; break;
		case 4: f = other1; break;
		}
	impl = f;
}
static void go(int n) { impl(a, b, c, s, n); }
#endif

int main(int argc, char **argv)
{
	(void)argv;
	go(argc);
	return (int)(c[0] & 1);
}
