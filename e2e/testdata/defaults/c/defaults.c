// What a compiler makes of code that leaves it a choice of instructions: each kind of value under more pressure than
// there are registers. Only exact numbers come out, so that all platforms and compilers print the same.
#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP __attribute__((noinline))

// One product of each pair, all alive at once: the sum takes them from the last to the first, with a factor between
// that nobody knows.
#define LIVE(type, name)                                                                                                                                      \
	static volatile type name##_one = 1;                                                                                                                      \
	KEEP type name(const type *a) {                                                                                                                           \
		type b0 = a[0] * a[39], b1 = a[1] * a[38], b2 = a[2] * a[37], b3 = a[3] * a[36], b4 = a[4] * a[35], b5 = a[5] * a[34], b6 = a[6] * a[33];              \
		type b7 = a[7] * a[32], b8 = a[8] * a[31], b9 = a[9] * a[30], b10 = a[10] * a[29], b11 = a[11] * a[28], b12 = a[12] * a[27], b13 = a[13] * a[26];       \
		type b14 = a[14] * a[25], b15 = a[15] * a[24], b16 = a[16] * a[23], b17 = a[17] * a[22], b18 = a[18] * a[21], b19 = a[19] * a[20];                      \
		type q = name##_one, s = b19;                                                                                                                         \
		s = s * q + b18, s = s * q + b17, s = s * q + b16, s = s * q + b15, s = s * q + b14, s = s * q + b13, s = s * q + b12, s = s * q + b11;                 \
		s = s * q + b10, s = s * q + b9, s = s * q + b8, s = s * q + b7, s = s * q + b6, s = s * q + b5, s = s * q + b4, s = s * q + b3;                       \
		return s * q * q + b2 + b1 * q + b0;                                                                                                                  \
	}
LIVE(double, doubles)
LIVE(float, floats)
LIVE(uint32_t, words)
LIVE(uint64_t, longs)
LIVE(long double, wides)
#ifdef __SIZEOF_INT128__
LIVE(unsigned __int128, twos)
#endif

typedef double dvec __attribute__((vector_size(32)));
typedef float fvec __attribute__((vector_size(16)));
typedef int32_t ivec __attribute__((vector_size(64)));
typedef uint8_t bvec __attribute__((vector_size(16)));

KEEP static double vectors(const double *d, const float *f, const int32_t *i, const uint8_t *b) {
	dvec dv = {d[0], d[1], d[2], d[3]}, dw = {d[4], d[5], d[6], d[7]};
	fvec fv = {f[0], f[1], f[2], f[3]}, fw = {f[4], f[5], f[6], f[7]};
	ivec iv, iw;
	bvec bv, bw;
	memcpy(&iv, i, sizeof iv), memcpy(&iw, i + 16, sizeof iw), memcpy(&bv, b, sizeof bv), memcpy(&bw, b + 16, sizeof bw);
	dvec dr = dv * dw + dv - dw;
	fvec fr = fv * fw + fv;
	ivec ir = (iv * iw) ^ (iv << 3) ^ (iw >> 2) ^ (iv > iw);
	bvec br = bv + bw * bv;
	double s = dr[0] + dr[1] + dr[2] + dr[3] + fr[0] + fr[1] + fr[2] + fr[3];
	for (int k = 0; k < 16; k++)
		s += ir[k] + br[k];
	return s;
}

// Loops that optimisers turn into vectors.
KEEP static double loops(double *restrict d, float *restrict f, int32_t *restrict i, uint8_t *restrict b, int64_t *restrict l, int n) {
	int32_t sum = 0, most = INT32_MIN;
	uint32_t bytes = 0;
	double all = 0;
	for (int k = 0; k < n; k++)
		d[k] = d[k] * 2 + f[k];
	for (int k = 0; k < n; k++)
		f[k] = f[k] > 3 ? f[k] : -f[k];
	for (int k = 0; k < n; k++)
		i[k] = (int32_t)d[k], l[k] = (int64_t)f[k] * i[k];
	for (int k = 0; k < n; k++)
		sum += i[k] * i[k], most = i[k] > most ? i[k] : most;
	for (int k = 0; k < n; k++)
		bytes += (uint8_t)(b[k] * 3) > 100 ? b[k] : (uint8_t)~b[k];
	for (int k = 0; k < n; k++)
		all += (double)l[k] + d[k];
	return all + sum + most + bytes;
}

KEEP static uint64_t bits(uint64_t x, uint32_t y, uint16_t z) {
	uint64_t r = __builtin_popcountll(x) + __builtin_popcount(y) * 3u + __builtin_clzll(x) * 5u + __builtin_clz(y) * 7u + __builtin_ctzll(x) * 11u + __builtin_ctz(y) * 13u +
				 __builtin_parityll(x) * 17u;
	r ^= __builtin_bswap64(x) ^ __builtin_bswap32(y) ^ __builtin_bswap16(z);
	r += (x << (y & 63) | x >> (-y & 63)) + (y >> (z & 31) | y << (-z & 31)) + (x & ~(uint64_t)y) + (x >> 13 & 0xfff) + x % 10 + x / 7 + y / 9 + y % 11;
	return r + (uint64_t)abs((int)(int8_t)z) + (x > y ? x : y) + (uint64_t)((int64_t)x * (int32_t)y >> 7);
}

KEEP static double converts(double d, float f, int64_t l, uint64_t u, int32_t i, uint32_t w) {
	double r = (double)l + (double)u + i + w + (float)l + (float)u + (float)i + (float)w + f;
	r += (int64_t)d + (uint64_t)d + (int32_t)d + (uint32_t)d + (int64_t)f + (uint64_t)f + (int32_t)f + (uint32_t)f;
	return r + (float)d + (int16_t)d + (uint8_t)f + (long double)d + (double)(long double)f;
}

KEEP static double rounds(double d, float f) {
	double r = floor(d) + ceil(d) + trunc(d) + round(d) + rint(d) + nearbyint(d) + fabs(d) + copysign(d, -1) + fmin(d, 3) + fmax(d, 3) + sqrt(d * d) + fma(d, 2, 1) + ldexp(d, 3);
	r += floorf(f) + ceilf(f) + truncf(f) + roundf(f) + rintf(f) + fabsf(f) + copysignf(f, -1) + fminf(f, 3) + fmaxf(f, 3) + sqrtf(f * f) + fmaf(f, 2, 1);
	return r + (double)lround(d) + (double)llrint(d) + (isnan(d) || isinf(f)) + fmod(d, 2) + floorl(d) + sqrtl(4);
}

KEEP static uint64_t atomics(void) {
	static _Alignas(8) uint64_t q = 40;
	static uint32_t w = 30;
	static uint16_t h = 20;
	static uint8_t b = 10;
	uint64_t want = 42, r = __atomic_fetch_add(&q, 2, __ATOMIC_SEQ_CST);
	r += __atomic_compare_exchange_n(&q, &want, 99, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	r += __atomic_exchange_n(&q, 7, __ATOMIC_ACQUIRE);
	r += __atomic_fetch_or(&q, 8, __ATOMIC_RELEASE);
	r += __atomic_fetch_add(&w, 2, __ATOMIC_SEQ_CST);
	r += __atomic_fetch_xor(&w, 3, __ATOMIC_RELAXED);
	r += __atomic_exchange_n(&h, 9, __ATOMIC_SEQ_CST);
	r += __atomic_fetch_sub(&b, 1, __ATOMIC_SEQ_CST);
	r += __atomic_fetch_nand(&h, 5, __ATOMIC_SEQ_CST);
	__atomic_store_n(&b, 0, __ATOMIC_RELEASE);
	r += 100 * __atomic_test_and_set(&b, __ATOMIC_SEQ_CST);
	r += 100 * __atomic_test_and_set(&b, __ATOMIC_SEQ_CST);
	r += __atomic_load_n(&q, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&q, 5, __ATOMIC_RELEASE);
	return r + __atomic_load_n(&q, __ATOMIC_ACQUIRE) + h;
}

struct block {
	char bytes[200];
};

KEEP static uint32_t copies(char *to, const char *from, size_t n) {
	struct block a, b;
	memset(&a, 0x5a, sizeof a), memcpy(&b, from, sizeof b), memcpy(a.bytes + 3, b.bytes + 1, 37), memmove(a.bytes + 5, a.bytes, 64), memset(b.bytes + 100, 0, 61);
	memcpy(to, &a, sizeof a), memmove(to + 7, to, n), memset(to + 40, 'x', n);
	uint32_t r = (uint32_t)strlen(strcpy(to + 300, "a string")) + (memcmp(&a, &b, sizeof a) > 0) + (uint32_t)(strchr(to + 300, 'r') - to);
	for (int k = 0; k < 310; k++)
		r = r * 31 + (uint8_t)to[k];
	return r;
}

// Parts of the C library that have code for machines with more than the platform's: of those, Arm's VFP, s390x's and
// POWER's control of rounding.
KEEP static double library(const char *text) {
	jmp_buf at;
	volatile double r = strtod(text, NULL) + strtof("2.5", NULL) + (fegetround() == FE_TONEAREST);
	feclearexcept(FE_ALL_EXCEPT);
	if (setjmp(at) == 0)
		longjmp(at, 1);
	char out[64];
	snprintf(out, sizeof out, "%.3f %a %Lg", r, r, (long double)r);
	return r + (double)strlen(out) + sin(0) + cos(0) + atan2(0, 1) + exp(0) + log(1) + pow(2, 10) + tan(0) + (double)fetestexcept(FE_OVERFLOW);
}

int main(int argc, char **argv) {
	(void)argv;
	double d[64];
	float f[64];
	uint32_t w[64];
	uint64_t u[64];
	int32_t i[64];
	int64_t l[64];
	uint8_t b[64];
	long double e[64];
	static char text[400], from[400];
	for (int k = 0; k < 64; k++)
		d[k] = k + 0.5 * argc, f[k] = (float)k - 3.5f * (float)argc, w[k] = 0x9e3779b9u * (uint32_t)(k + argc), u[k] = 0x9e3779b97f4a7c15u * (uint64_t)(k + argc), i[k] = k * 7 - 90 * argc,
		b[k] = (uint8_t)(k * 11), e[k] = k + argc;
	for (int k = 0; k < 400; k++)
		from[k] = (char)(k * argc);
	printf("live %.3f %.3f %u %llu %.0Lf", doubles(d), floats(f), words(w), (unsigned long long)longs(u), wides(e));
#ifdef __SIZEOF_INT128__
	unsigned __int128 t[40], s;
	for (int k = 0; k < 40; k++)
		t[k] = (unsigned __int128)u[k] << 64 | u[63 - k];
	s = twos(t);
	s = s / (t[3] >> 20 | 1) + s % (t[5] >> 9 | 1) + (unsigned __int128)(double)(uint64_t)(t[7] >> 100);
	printf(" %llx%016llx", (unsigned long long)(s >> 64), (unsigned long long)s);
#endif
	printf("\nvectors %.3f\n", vectors(d, f, i, b));
	printf("loops %.3f\n", loops(d, f, i, b, l, 60 + argc));
	printf("bits %llx\n", (unsigned long long)bits(u[5], w[9], (uint16_t)u[3]));
	printf("converts %.3f\n", converts(42.75 * argc, 17.5f * (float)argc, -1234567 * argc, 7654321u * (unsigned)argc, -77 * argc, 99u * (unsigned)argc));
	printf("rounds %.3f\n", rounds(2.5 * argc, 6.25f * (float)argc));
	printf("atomics %llu\n", (unsigned long long)atomics());
	printf("copies %u\n", copies(text, from, (size_t)(33 * argc)));
	printf("library %.3f\n", library("1.5"));
	return 0;
}
