package isa

import (
	"debug/elf"
	"strings"
)

// detectors are functions that ask the machine, or the kernel, what the processor can do; what calls one decides by its
// answer.
var detectors = []string{
	"getauxval", "__getauxval", "getauxval2", "__getauxval2", "elf_aux_info", "_dl_auxv", "__riscv_hwprobe", "__riscv_hwprobe_one", "__get_cpuid*", "__get_cpu_features", "__x86_get_cpuid_feature_leaf", "__x86_get_cpu_features",
	"_dl_x86_get_cpu_features", "__init_cpu_features", "__cpu_indicator_init", "__init_cpu_features_resolver", "__riscv_ifunc*", "IsProcessorFeaturePresent", "sysctlbyname", "*get_cpu_flags", "*_cpu_detect",
	"github.com/klauspost/cpuid/v2.asm*", "github.com/klauspost/cpuid/v2.(*CPUInfo).*", "github.com/klauspost/cpuid/v2.CPUInfo.*",
	"*std_detect*detect_and_initialize*", "*std_detect*__is_feature_detected*", "*std_detect*5cache4test*", "*std_detect*check_for*", "*is_enabled_feature*", "*ring*cpu*featureflags*get_or_init*",
	"internal/cpu.cpuid", "internal/cpu.xgetbv", "internal/cpu.getGOAMD64level", "internal/cpu.stfle", "internal/cpu.getisar0", "internal/cpu.getpfr0", "internal/cpu.getMIDR", "internal/cpu.get_cpucfg",
}

// fillers are functions all of whose variables hold such answers; Go's own names are there in stripped programs, too.
var fillers = []string{"internal/cpu.doinit", "internal/cpu.osInit", "internal/cpu.osinit", "internal/cpu.hwcapInit", "internal/cpu.cpuinit", "internal/cpu.Initialize", "golang.org/x/sys/cpu.archInit", "golang.org/x/sys/cpu.doinit", "golang.org/x/sys/cpu.init*", "OPENSSL_cpuid_setup", "init_cpu_features*", "__init_cpu_features*", "__cpu_indicator_init"}

// askedFiles are what a program reads to learn what the processor can do (proc(5)): a function with such a path writes
// the answers into variables.
var askedFiles = []string{"/proc/self/auxv", "/proc/cpuinfo"}

// words are variables that hold such answers, by the names that libraries give them.
var words = []string{
	"mtag_enabled", "*cpu_features*", "*cpu_flags*", "*cpu_caps*", "*hwcap*", "__cpu_model", "__cpu_features2", "__cpu_features", "__aarch64_cpu_features", "__aarch64_have_lse_atomics", "__riscv_feature_bits", "__riscv_vendor_feature_bits", "_dl_x86_cpu_features", "_rtld_global_ro", "_dl_x86_get_cpu_features",
	"_dl_hwcap", "__hwcap", "_dl_hwcap2", "_dl_hwcap3", "_dl_hwcap4", "_dl_platform", "_dl_s390_cpu_features", "_dl_riscv_*", "_dl_aarch64_cpu_features", "_dl_loongarch_cpu_features", "__libc_ifunc_impl_list",
	"*OPENSSL_ia32cap_P", "*OPENSSL_armcap_P", "OPENSSL_s390xcap_P", "OPENSSL_ppccap_P", "OPENSSL_riscvcap_P", "OPENSSL_riscv_hwcap_P", "OPENSSL_loongarch_hwcap_P", "OPENSSL_loongarchcap_P", "_armv7_neon_probe",
	"internal/cpu.X86", "internal/cpu.ARM", "internal/cpu.ARM64", "internal/cpu.S390X", "internal/cpu.PPC64", "internal/cpu.RISCV64", "internal/cpu.Loong64", "internal/cpu.MIPS64X", "internal/cpu.HWCap", "internal/cpu.HWCap2",
	"golang.org/x/sys/cpu.X86", "golang.org/x/sys/cpu.ARM", "golang.org/x/sys/cpu.ARM64", "golang.org/x/sys/cpu.S390X", "golang.org/x/sys/cpu.PPC64", "golang.org/x/sys/cpu.RISCV64", "golang.org/x/sys/cpu.Loong64",
	"github.com/klauspost/cpuid/v2.CPU", "golang.org/x/sys/cpu.hwCap*", "runtime.x86Has*", "runtime.arm64Has*", "runtime.armHas*", "runtime.goarm", "runtime.goarmsoftfp", "runtime.loong64Has*", "runtime.riscv64Has*", "runtime.s390x*",
	"*std_detect*CACHE*", "*aarch64_outline_atomics*HAVE_LSE_ATOMICS*", "*ring*cpu*featureflags*FEATURES*", "*7STORAGE17h*", "zlib_cpu*", "ff_rv_zbb_supported", "x86_cpu_has_*", "arm_cpu_has_*", "cpuinfo_isa", "libat_feat1_*", "__libat_feat*", "__libat_have_*",
}

// known are functions that only run where a machine has what they use, for a reason that lies in data: what the audit
// cannot see, each with that reason. Where no feature is named, all are meant.
var known = []struct{ glob, feature, why string }{
	{"__lll_*elision", "rtm", "glibc elides locks only where its start-up found RTM (sysdeps/unix/sysv/linux/x86/elision-conf.c)"},
	{"__lll_*elision", "htm", "glibc elides locks only where its start-up found transactional memory (sysdeps/unix/sysv/linux/powerpc/elision-conf.c)"},
	{"uw_update_context*", "sve", "libgcc reads the vector length only for a frame that saved SVE registers (config/aarch64/aarch64-unwind.h)"},
	{"uw_*", "sve", "libgcc reads the vector length only for a frame that saved SVE registers (config/aarch64/aarch64-unwind.h)"},
	{"execute_stack_op", "sve", "libgcc reads the vector length only for a frame that saved SVE registers (config/aarch64/aarch64-unwind.h)"},
	{"_Unwind_GetGR", "sve", "libgcc reads the vector length only for a frame that saved SVE registers (config/aarch64/aarch64-unwind.h)"},
	{"_Unwind_SetGR", "sve", "libgcc reads the vector length only for a frame that saved SVE registers (config/aarch64/aarch64-unwind.h)"},
	{"internal/runtime/atomic.*64", "mmx", "Go's runtime ends the program at its start on a processor without MMX (runtime/asm_386.s)"},
	{"*gnu_Unwind_*", "vfp", "libgcc restores floating-point registers only for a frame that saved them (config/arm/libunwind.S)"},
	{"*gnu_Unwind_*", "vfpv3", "libgcc restores floating-point registers only for a frame that saved them (config/arm/libunwind.S)"},
	{"*_Unwind_VRS_*", "vfp", "libgcc restores floating-point registers only for a frame that saved them (config/arm/libunwind.S)"},
	{"aes_v8_*", "", "OpenSSL takes it only where OPENSSL_armcap_P says so (crypto/evp, HWAES_CAPABLE)"},
	{"gcm_*_v8*", "", "OpenSSL takes it only where OPENSSL_armcap_P says so (crypto/modes/gcm128.c)"},
	{"*/cpu.xgetbv", "xsave", "Go asks cpuid for OSXSAVE first (internal/cpu/cpu_x86.go)"},
	{"github.com/minio/sha256-simd.block*", "", "sha256-simd asks cpuid, and /proc/cpuinfo on arm64, when it is initialized (cpuid.go, cpuid_other.go, cpuid_linux_arm64.go, sha256.go)"},
	{"github.com/klauspost/reedsolomon.getVectorLength", "sve", "reedsolomon asks cpuid for SVE first (galois_arm64.go)"},
	{"github.com/klauspost/cpuid/v2.asmXgetbv", "xsave", "cpuid asks for OSXSAVE first (cpuid.go, support)"},
	{"crypto/internal/fips140/sha3.keccakF1600NEON", "sha3", "Go asks useSHA3 first, which only darwin sets (crypto/internal/fips140/sha3/sha3_arm64.go)"},
	{"crypto/aes.*Asm", "", "Go before 1.24 chooses a cipher's type by supportsAES (crypto/aes/cipher_asm.go)"},
	{"crypto/aes.gcmAes*", "", "Go before 1.24 chooses a cipher's type by supportsGFMUL (crypto/aes/aes_gcm.go)"},
	{"hash/crc32.castagnoliSSE42*", "", "Go asks archAvailableCastagnoli before it makes the table (hash/crc32/crc32_amd64.go)"},
	{"*aes*autodetect*", "aes", "RustCrypto's aes asks through cpufeatures, when a key is made (aes/src/autodetect.rs)"},
	{"*3aes2ni*", "", "RustCrypto's aes asks through cpufeatures, when a key is made (aes/src/autodetect.rs)"},
	{"*3aes5armv8*", "", "RustCrypto's aes asks through cpufeatures, when a key is made (aes/src/autodetect.rs)"},
	{"*core_arch*_mm_aes*", "aes", "an intrinsic of Rust's that was not put into its caller, and only functions with #[target_feature] have one"},
	{"*aes_gcm_*_kernel", "", "BoringSSL and ring take it only for a key that was made where the processor has it (ring, src/aead/aes_gcm.rs)"},
	{"*gcm_*_clmul", "", "BoringSSL and ring take it only for a key that was made where the processor has it (ring, src/aead/gcm)"},
	{"*_block_data_order_hw", "", "BoringSSL and ring take it only where the processor has it (crypto/fipsmodule/sha, ring's src/digest)"},
	{"*aes_hw_*", "", "BoringSSL and ring take it only where OPENSSL_ia32cap_P says so (crypto/fipsmodule/aes)"},
	{"*vpaes_*", "", "OpenSSL takes it only where OPENSSL_ia32cap_P says so (include/crypto/aes_platform.h, VPAES_CAPABLE)"},
	{"*bsaes_*", "", "OpenSSL takes it only where OPENSSL_ia32cap_P says so (include/crypto/aes_platform.h, BSAES_CAPABLE)"},
	{"AesC*_HW*", "", "7-Zip takes it only where CPU_IsSupported_AES says so (C/Aes.c, AesGenTables)"},
	{"CrcUpdate_HW", "crc", "7-Zip takes it only where CPU_IsSupported_CRC32 says so (C/7zCrc.c, CrcGenerateTable)"},
	{"x25519_fe64_*", "adx", "OpenSSL asks x25519_fe64_eligible first (crypto/ec/curve25519.c)"},
	{"asm_aescbc_sha*_hmac", "", "OpenSSL offers these ciphers only where OPENSSL_armcap_P says so (providers/implementations/ciphers, HWAES_CBC_HMAC_SHA1_ETM_CAPABLE)"},
	{"asm_sha*_hmac_aescbc_dec", "", "OpenSSL offers these ciphers only where OPENSSL_armcap_P says so (providers/implementations/ciphers, HWAES_CBC_HMAC_SHA1_ETM_CAPABLE)"},
	{"ChaCha20_*x*", "", "OpenSSL's ChaCha20_ctr32 looks at OPENSSL_ia32cap_P first (crypto/chacha/asm/chacha-x86_64.pl)"},
	{"*HUF_decompress4X*_usingDTable_internal_fast*", "", "zstd goes there only where its context says that the processor has BMI2 (lib/decompress/huf_decompress.c, HUF_flags_bmi2)"},
	{"crypto_aead_aes256gcm_*", "", "libsodium's callers ask crypto_aead_aes256gcm_is_available first (its manual)"},
	{"_ZGVc*", "", "the name says that it is for AVX, by the vector function ABI of x86: only code that was compiled for AVX calls it"},
	{"_ZGVd*", "", "the name says that it is for AVX2, by the vector function ABI of x86: only code that was compiled for AVX2 calls it"},
	{"_ZGVe*", "", "the name says that it is for AVX-512, by the vector function ABI of x86: only code that was compiled for AVX-512 calls it"},
	{"_ZGVs*", "sve", "the name says that it is for SVE, by the vector function ABI of AArch64: only code that was compiled for SVE calls it"},
	{"__libc_mtag_*", "mte", "glibc tags memory only where the kernel offers MTE and the user asks for it (malloc/arena.c, mtag_enabled)"},
}

// knownUnnamed are those of a static program that was stripped, told by what glibc alone does there: its indirect
// functions say that glibc is in it.
var knownUnnamed = []struct {
	machine                elf.Machine
	feature, mnemonic, why string
}{
	{elf.EM_X86_64, "rtm", "", "glibc elides locks only where its start-up found RTM (sysdeps/unix/sysv/linux/x86/elision-conf.c)"},
	{elf.EM_386, "rtm", "", "glibc elides locks only where its start-up found RTM (sysdeps/unix/sysv/linux/x86/elision-conf.c)"},
	{elf.EM_PPC64, "htm", "", "glibc elides locks only where its start-up found transactional memory (sysdeps/unix/sysv/linux/powerpc/elision-conf.c)"},
	{elf.EM_AARCH64, "mte", "", "glibc tags memory only where the kernel offers MTE and the user asks for it (malloc/arena.c, mtag_enabled)"},
	{elf.EM_AARCH64, "sve", "cntd", "libgcc reads the vector length only for a frame that saved SVE registers (config/aarch64/aarch64-unwind.h)"},
}

// variants are parts of names by which authors tell the functions that they wrote for one kind of machine from the
// others; longer ones stand before what they begin with. Words that also say what a function does, such as aes and fma,
// are none.
var variants = map[string][]string{
	"x86": {"3dnow", "ssse3", "sse4_1", "sse4_2", "sse41", "sse42", "sse4", "sse3", "sse2", "sse", "avx512vbmi", "avx512vl", "avx512bw", "avx512f", "avx512", "avx10", "avx2", "avx", "aesni", "aes_ni", "vpclmulqdq", "vpclmul", "pclmulqdq", "pclmul", "clmul",
		"bmi2", "bmi1", "bmi", "adx", "mulx4x", "sqrx8x", "powerx5", "mulx", "montx", "vpmadd52", "fma3", "fma4", "xop", "f16c", "popcnt", "lzcnt", "movbe", "sha_ni", "shani", "shaext", "rdrand", "rdseed", "rtm", "mmx", "vaes", "vnni", "gfni", "ifma", "nehalem", "westmere", "sandybridge", "ivybridge", "haswell", "broadwell", "skylakex", "skylake", "skx", "cannonlake", "icelake", "icl", "sapphirerapids", "cooperlake", "barcelona", "bulldozer", "piledriver", "steamroller", "excavator",
		"zen2", "zen3", "zen4", "zen5", "zen", "amm52x20", "amm52x30", "amm52x40"},
	"arm64":   {"sve2", "sve", "sme2", "sme", "lse", "dotprod", "i8mm", "pmull", "armv8", "v8_crypto", "asimddp", "asimdhp", "sha512_ce", "sha3", "eor3", "mops", "neoversev1", "neoversen1", "neoversen2", "neoversev2", "a64fx", "thunderx2t99", "thunderx3t110"},
	"arm":     {"neon", "vfpv4", "vfpv3", "vfp", "armv8", "armv7", "armv6t2", "armv6", "asimd", "pmull"},
	"riscv64": {"rvv", "zvkned", "zvkg", "zvbb", "zvbc", "zvkb", "zbb", "zbc", "zba", "zbs", "zbkb", "zknd", "zkne"},
	"ppc64":   {"power10", "power9", "p10", "p9", "mma"},
	"s390x":   {"vxe2", "vxe", "z16", "z15", "z14", "dfltcc", "nnpa"},
	"mips":    {"msa", "mmi", "mips64r2"},
	"loong64": {"lasx", "lsx"},
}

// questions are instructions beyond an architecture's oldest baseline that ask the machine what it has, and do nothing
// else: the state that the system saves; the length of a vector.
var questions = map[string]map[string]bool{
	"x86":   {"xgetbv": true},
	"arm64": {"rdvl": true, "rdsvl": true, "cntb": true, "cnth": true, "cntw": true, "cntd": true},
}

// readers are functions all of whose variables hold such answers, although they only read them: Go's linker sets what
// it was told to build for.
var readers = []string{"runtime.checkgoarm"}

// A matcher tells whether a name is one of some; in them * stands for anything.
type matcher struct {
	exact map[string]bool
	globs [][]string // cut at each *
}

func newMatcher(globs []string) *matcher {
	m := &matcher{exact: map[string]bool{}}
	for _, g := range globs {
		if strings.Contains(g, "*") {
			m.globs = append(m.globs, strings.Split(g, "*"))
		} else {
			m.exact[g] = true
		}
	}
	return m
}

func (m *matcher) match(name string) bool {
	if m.exact[name] {
		return true
	}
glob:
	for _, parts := range m.globs {
		rest, ok := strings.CutPrefix(name, parts[0])
		if !ok {
			continue
		}
		for _, p := range parts[1 : len(parts)-1] {
			i := strings.Index(rest, p)
			if i < 0 {
				continue glob
			}
			rest = rest[i+len(p):]
		}
		if strings.HasSuffix(rest, parts[len(parts)-1]) {
			return true
		}
	}
	return false
}

var (
	isDetector = newMatcher(detectors).match
	isFiller   = newMatcher(fillers).match
	isReader   = newMatcher(readers).match
	isWordName = newMatcher(words).match
	isKnown    = func() (match []func(string) bool) { // in the order of known
		for _, k := range known {
			match = append(match, newMatcher([]string{k.glob}).match)
		}
		return match
	}()
)
