/* One program or library a KIND: ways in which projects come to code for a newer machine. fast() has one instruction that the baseline lacks, whatever the compiler does with the rest.
   The kinds from 101 to 149 run it on every machine; those from 150 on ask first, or never come there. A program prints the answer of go(); of a library another program calls it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#if !defined(__i386__) && !defined(__x86_64__)
#include <sys/auxv.h>
#else
#include <cpuid.h>
#endif

/* NEWER is the instruction; MASK is what caps() has where the machine has it. */
#if defined(__x86_64__)
#define NEWER "vpaddd %%ymm0, %%ymm0, %%ymm0"
#define FEATURE "avx2"
#define MASK (1u << 5)
#elif defined(__i386__)
#define NEWER "haddps %%xmm0, %%xmm0"
#define FEATURE "sse3"
#define MASK (1u << 0)
#elif defined(__aarch64__)
#define NEWER ".inst 0x04e00000" /* add z0.d of SVE */
#define MASK (1u << 22)
#elif defined(__arm__) && defined(__ARM_ARCH_7A__)
#define NEWER ".inst 0xf2200840" /* vadd.i32 of NEON */
#define MASK (1u << 12)
#elif defined(__arm__)
#define NEWER ".inst 0xe3000001" /* movw of Armv7 */
#define MASK (1u << 12)
#elif defined(__powerpc64__)
#define NEWER ".long 0x7c0005e6" /* darn of POWER9 */
#define CAPS AT_HWCAP2
#define MASK 0x00800000u
#elif defined(__s390x__)
#define NEWER ".long 0xe7000000; .short 0x20e3" /* vfasb of z14, which QEMU stops; it has no bits of its own for most others */
#define MASK (1u << 13)
#elif defined(__riscv)
#define NEWER ".insn 4, 0x0d0072d7" /* vsetvli t0, zero of V */
#define MASK (1u << 21)
#elif defined(__mips__)
#define NEWER ".word 0x7c421010" /* addu.qb $2, $2, $2 of DSP: QEMU runs MSA as nothing */
#define MASK 128u
#elif defined(__loongarch64)
#define NEWER ".word 0x740a0000" /* xvadd.b of LASX */
#define MASK (1u << 5)
#endif
#ifndef CAPS
#define CAPS AT_HWCAP
#endif
#ifdef __riscv
#define TOUCHES : : : "t0", "memory"
#elif defined(__mips__)
#define TOUCHES : : : "$2", "memory"
#elif defined(__powerpc64__)
#define TOUCHES : : : "r0", "memory"
#elif defined(__arm__) && !defined(__ARM_ARCH_7A__)
#define TOUCHES : : : "r0", "memory"
#else
#define TOUCHES : : : "memory"
#endif

typedef int fn(int);
#define APART __attribute__((noinline))
#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN APART int plain(int n) { return n + 40; }
HIDDEN APART int middle(int n) { return n + 39 + (n > 0); }
#if KIND != 155 && KIND != 167 && KIND != 168
HIDDEN APART int fast(int n)
{
	__asm__ volatile(NEWER TOUCHES);
	return n + 40;
}
#endif

/* caps asks the machine, by hand where there is an instruction for that. */
static inline unsigned long caps(void)
{
#if defined(__i386__) || defined(__x86_64__)
	unsigned a, b, c, d;
#ifdef __x86_64__
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
		return 0;
	return b;
#else
	if (!__get_cpuid(1, &a, &b, &c, &d))
		return 0;
	return c;
#endif
#else
	return getauxval(CAPS);
#endif
}

static inline int has(void)
{
#if defined(__i386__) || defined(__x86_64__)
	__builtin_cpu_init();
	return __builtin_cpu_supports(FEATURE) != 0;
#else
	return (caps() & MASK) != 0;
#endif
}

#if KIND == 101 /* called */
static int run(int n) { return fast(n); }
#elif KIND == 102 /* where something else is so */
static int run(int n) { return n != 7 ? fast(n) : plain(n); }
#elif KIND == 103 /* by a table whose index is something else */
static fn *const table[] = { plain, fast, middle };
static int run(int n) { return table[n & 1](n); }
#elif KIND == 104 /* after a question that decides about something else */
static int run(int n)
{
	if (has())
		puts("new");
	return fast(n);
}
#elif KIND == 105 /* as a constructor */
static int early;
__attribute__((constructor)) static void begin(void) { early = fast(1); }
static int run(int n) { return early + n - 1; }
#elif KIND == 106 /* beside a question that is only printed */
static unsigned long level;
__attribute__((constructor)) static void ask(void) { level = caps(); }
APART static void tell(void) { fprintf(stderr, "%lx\n", level); }
APART static int other(int n) { tell(); return fast(n); }
static int run(int n) { return other(n); }
#elif KIND == 107 /* by a switch on something else */
static int run(int n)
{
	switch (n) {
	case 0: return middle(n);
	case 1: return fast(n);
	case 2: return plain(n + 1);
	case 3: return middle(n + 2);
	case 4: return plain(n + 7);
	}
	return 0;
}
#elif KIND == 108 /* by a structure of functions that never asks */
struct dsp { fn *first, *second; };
static void init(struct dsp *d) { d->first = plain; d->second = fast; }
static struct dsp d;
static int run(int n) { init(&d); return d.first(n) + d.second(n) - n - 40; }
#elif KIND == 109 /* as what another function calls back */
static int compare(const void *a, const void *b) { return fast(*(const int *)a) - fast(*(const int *)b); }
static int run(int n)
{
	int list[] = { n + 2, n, n + 1 };
	qsort(list, 3, sizeof list[0], compare);
	return list[0] + 40;
}
#elif KIND == 110 /* of a file that asks elsewhere, for another of its functions */
int extra(int n) { return has() ? fast(n) : plain(n); }
APART int api(int n) { return fast(n); }
static int run(int n) { return api(n); }
#elif KIND == 111 /* before it asks */
static int run(int n)
{
	int m = fast(n);
	return has() ? fast(m - 40) : plain(m - 40);
}
#elif KIND == 112 /* on both ways */
static int run(int n) { return has() ? fast(n) : fast(n + 1) - 1; }
#elif KIND == 113 || KIND == 171 /* a class a machine, by something else and by a question: in C++ */
struct Sum { virtual int run(int n) const = 0; };
struct Plain : Sum { int run(int n) const override { return plain(n); } };
struct Fast : Sum { int run(int n) const override { return fast(n); } };
static const Plain one;
static const Fast two;
APART static const Sum *choose(int n)
{
#if KIND == 113
	return n == 1 ? static_cast<const Sum *>(&two) : &one;
#else
	(void)n;
	if (has())
		return &two;
	return &one;
#endif
}
static int run(int n) { return choose(n)->run(n); }

#elif KIND == 150 /* asked right there */
static int run(int n) { return has() ? fast(n) : plain(n); }
#elif KIND == 151 /* a mask by hand */
static int run(int n) { return (caps() & MASK) == MASK ? fast(n) : plain(n); }
#elif KIND == 152 /* the other way round */
static int run(int n)
{
	unsigned long lacks = ~caps();
	if ((lacks & MASK) == 0)
		return fast(n);
	return plain(n);
}
#elif KIND == 153 /* kept on the stack over much else */
static int run(int n)
{
	volatile unsigned long lacks = ~caps();
	volatile unsigned times = 9;
	unsigned sum = 0, i;
	for (i = 0; i < times; i++)
		sum = sum * 31 + (unsigned)n + (sum >> 3 ^ i * 77) + (sum & 5) * 3 + (sum % 7) - (sum | 9) / 5;
	fprintf(stderr, "%u %d %d %d\n", sum, n, n * 3, n * 5);
	if (lacks & MASK)
		return plain(n);
	return fast(n);
}
#elif KIND == 154 /* a level that is kept, and a switch */
static int level;
__attribute__((constructor)) static void ask(void) { level = caps() & MASK ? 2 : 0; }
static int run(int n)
{
	switch (level) {
	case 2: return fast(n);
	case 1: return middle(n);
	}
	return plain(n);
}
#elif KIND == 155 /* chosen when it is loaded */
HIDDEN APART int fast(int n) { __asm__ volatile(NEWER TOUCHES); return n + 40; }
#if defined(__i386__) || defined(__x86_64__)
static fn *resolve(void) { return has() ? fast : plain; }
#elif defined(__aarch64__) || defined(__arm__)
static fn *resolve(unsigned long hwcap) { return hwcap & MASK ? fast : plain; }
#else /* it may not call getauxval yet, and does not need to ask: whatever it may return is a variant */
static fn *resolve(void)
{
	unsigned long c = 0;
	__asm__("" : "+r"(c));
	return c & MASK ? fast : plain;
}
#endif
int variant(int) __attribute__((ifunc("resolve"))); /* not hidden: on i386 such a call would come to the linkage table without its register */
static int run(int n) { return variant(n); }
#elif KIND == 156 /* a table whose index is a level */
static fn *const table[] = { plain, middle, fast };
static int level;
__attribute__((constructor)) static void ask(void) { level = caps() & MASK ? 2 : 0; }
static int run(int n) { return table[level](n); }
#elif KIND == 157 /* a structure of functions */
struct dsp { fn *first, *second; };
APART static void init(struct dsp *d)
{
	unsigned long c = caps();
	d->first = plain;
	d->second = middle;
	if (c & MASK)
		d->second = fast;
}
static struct dsp d;
static int run(int n) { init(&d); return d.first(n) + d.second(n) - n - 40; }
#elif KIND == 158 /* a function that tells a level */
APART static int level(void) { return caps() & MASK ? 2 : 0; }
static int run(int n) { return level() >= 2 ? fast(n) : plain(n); }
#elif KIND == 159 /* asked when it is first needed */
static int known = -1;
static int run(int n)
{
	if (known < 0)
		known = has();
	return known ? fast(n) : plain(n);
}
#elif KIND == 160 /* an early return */
static int run(int n)
{
	if (!has())
		return plain(n);
	if (n > 90)
		return middle(n);
	return fast(n);
}
#elif KIND == 161 /* among other conditions */
static int run(int n) { return n > 0 && has() && n < 100 ? fast(n) : plain(n); }
#elif KIND == 162 /* once, by a function that is handed on */
static int done, known;
APART static void once(int *flag, void (*f)(void)) { if (!*flag) { *flag = 1; f(); } }
static void ask(void) { known = has(); }
static int run(int n)
{
	once(&done, ask);
	return known ? fast(n) : plain(n);
}
#elif KIND == 163 /* a pointer that is chosen */
static int run(int n)
{
	fn *f = has() ? fast : plain;
	return f(n);
}
#elif KIND == 164 /* bits of a structure */
static struct { unsigned ready : 1, first : 1, second : 1; } known;
APART static void ask(void) { known.second = has(); known.ready = 1; }
static int run(int n)
{
	if (!known.ready)
		ask();
	return known.second ? fast(n) : plain(n);
}
#elif KIND == 165 /* filled in by another function */
struct known { unsigned long all; int level; };
APART static void detect(struct known *k) { k->all = caps(); k->level = k->all & MASK ? 2 : 0; }
static struct known known;
__attribute__((constructor)) static void ask(void) { detect(&known); }
static int run(int n) { return known.level == 2 ? fast(n) : plain(n); }
#elif KIND == 166 /* kept by each thread */
static __thread unsigned long known = ~0ul;
APART static void ask(void) { if (known == ~0ul) known = caps() & MASK; }
static int run(int n)
{
	ask();
	return known ? fast(n) : plain(n);
}
#elif KIND == 167 /* exported of a library, and called by nobody; the file asks elsewhere */
int only_where_it_is(int n) { __asm__ volatile(NEWER TOUCHES); return n; }
int is_it(void) { return has(); }
static int run(int n) { return plain(n); }
#elif KIND == 168 /* what only asks, exported and called by nobody */
#if defined(__i386__) || defined(__x86_64__)
unsigned state(void) { unsigned a, d; __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0)); return a; }
#elif defined(__aarch64__)
unsigned long state(void) { register unsigned long x __asm__("x0"); __asm__ volatile(".inst 0x04e0e3e0" : "=r"(x)); return x; } /* cntd */
#else
unsigned long state(void) { return caps(); }
#endif
static int run(int n) { return plain(n); }
#elif KIND == 169 /* a pointer that replaces itself */
static int first(int n);
static fn *volatile impl = first;
static int first(int n) { impl = has() ? fast : plain; return impl(n); }
static int run(int n) { return impl(n); }
#elif KIND == 170 /* two questions deep */
APART static int deeper(int n) { return fast(n); }
APART static int deep(int n) { return deeper(n) + (n > 1000); }
static int run(int n) { return has() ? deep(n) : plain(n); }
#endif

#ifdef LIBRARY
#ifdef __cplusplus
extern "C"
#endif
int go(int n) { return run(n); }
#else
int main(int argc, char **argv)
{
	(void)argv;
	printf("%d\n", run(argc));
	return 0;
}
#endif
