#if defined __ELF__
	.section .note.GNU-stack, "", %progbits
#endif
#ifdef BEYOND
	.text
	.globl beyond
#if defined __ELF__
	.type beyond, %function
#endif
#if defined __arm__
	.syntax unified
	.arch armv7-a
	.fpu neon
	.p2align 2
#elif defined __aarch64__
	.arch_extension crc
#elif defined __riscv
	.option arch, +zbb
#endif
beyond:
#if defined __x86_64__ || defined __i386__
	vpaddd %ymm0, %ymm0, %ymm0
	ret
#elif defined __aarch64__
	crc32b w0, w0, w0
	ret
#elif defined __arm__
	vadd.i32 q0, q0, q0
	bx lr
#elif defined __s390x__
	.insn rrf, 0xb9740000, %r2, %r2, %r2, 0 # nnrk, z15
	br %r14
#elif defined __powerpc64__
	.long 0x7c631a12 # modud 3, 3, 3: power9
	blr
#elif defined __riscv
	andn a0, a0, a0
	ret
#elif defined __mips__
	.set msa
	addv.w $w0, $w0, $w0
	jr $ra
	nop
#elif defined __loongarch__
	.word 0x740b0000 # xvadd.w: LASX; LLVM has no name for it here
	ret
#endif
#if defined __ELF__
	.size beyond, . - beyond
#endif
#endif
