#ifndef ARCH_H
#define ARCH_H

/* ARCH is what the compiler was told to compile for, spelled as Docker spells it
 * after "linux/". It comes from predefined macros: no flag of a build can make it lie. */

#define ARCH_STRING_(x) #x
#define ARCH_STRING(x) ARCH_STRING_(x)

#if defined(__x86_64__)
#define ARCH "amd64"
#elif defined(__i386__)
#define ARCH "386"
#elif defined(__aarch64__)
#define ARCH "arm64"
#elif defined(__arm__)
#define ARCH "arm/v" ARCH_STRING(__ARM_ARCH)
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH "ppc64le"
#elif defined(__s390x__)
#define ARCH "s390x"
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH "riscv64"
#elif defined(__mips64) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH "mips64le"
#elif defined(__loongarch_lp64)
#define ARCH "loong64"
#else
#error "arch.h has no name for this architecture"
#endif

#endif
