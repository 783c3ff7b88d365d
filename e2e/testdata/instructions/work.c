/* What compilers turn into instructions of newer machines: vectors, fused multiplication, bit counting, byte order, atomics, division. */
#include <stdint.h>

__attribute__((noinline)) void work(float *restrict a, const float *restrict b, uint64_t *restrict c, const uint8_t *restrict s, int n)
{
	int i;
	for (i = 0; i < n; i++)
		a[i] = a[i] * b[i] + a[i];
	for (i = 0; i < n; i++)
		c[i] = (c[i] << 13 ^ c[i] >> 7) + s[i];
	for (i = 0; i < n; i++)
		c[i] += (uint64_t)__builtin_popcountll(c[i]) + (uint64_t)__builtin_ctzll(c[i] | 1);
	c[1] = __builtin_bswap64(c[1]) & ~c[2];
	c[2] = (uint32_t)n / (uint32_t)(s[0] | 1);
	c[3] = c[3] > c[4] ? c[5] : 0;
	c[6] = (c[6] | ~c[7]) + (c[7] << 1);
	__atomic_fetch_add((uint32_t *)&c[0], (uint32_t)n, __ATOMIC_SEQ_CST);
}
