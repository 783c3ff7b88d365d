package main

import "strings"

// llvmVersion is that of the descriptions behind the tables.
const llvmVersion = "19.1.7"

// A target is an instruction set of LLVM and what its conditions mean here.
type target struct {
	table, llvm string
	width       int // of the longest instruction, in bits
	manual      string
	namespaces  []string // decoder namespaces that are the platform's; nil: all
	needs       map[string]string
	extra       []extra
	harmless    []string // prefixes of names, or =names: what runs on every machine all the same
}

// An extra is a need of instructions whose description has none, by LLVM's names.
type extra struct{ need, names string }

func (t target) skip(name string, r record) bool {
	if t.namespaces == nil {
		return false
	}
	for _, n := range t.namespaces {
		if n == r.DecoderNamespace {
			return false
		}
	}
	return true
}

// same makes a map of conditions that carry no need, and of "Condition=need".
func needs(pairs string) map[string]string {
	m := map[string]string{}
	for _, f := range strings.Fields(pairs) {
		k, v, _ := strings.Cut(f, "=")
		m[k] = v
	}
	return m
}

// Needs are the features of baseline.toml where it has them, else LLVM's own names in lower case. a|b: either; a+b:
// both. never: not for programs on Linux.
var targets = []target{
	{
		table: "arm64", llvm: "AArch64", width: 32,
		manual: "Arm's manual is DDI 0487, chapters C4 and C6-C9",
		needs: needs(`HasNEON HasNEONandIsStreamingSafe HasFPARMv8 HasEL3 HasLOR=lor HasTRACEV8_4 HasITE HasBRBE
			HasAES=aes HasSHA2=sha2 HasSHA3=sha3 HasSM4=sm4 HasCRC=crc HasLSE=lse HasLSE128=lse128 HasRDM=rdm HasFullFP16=fp16 HasFP16FML=fhm HasDotProd=dotprod
			HasComplxNum=fcma HasJS=jscvt HasRCPC=rcpc HasRCPC_IMMO=rcpc2 HasRCPC3=rcpc3 HasFlagM=flagm HasAltNZCV=flagm2 HasFRInt3264=frint HasBF16=bf16 HasMatMulInt8=i8mm
			HasMatMulFP32=f32mm HasMatMulFP64=f64mm HasPAuth=pauth HasPAuthLR=pauth-lr HasMTE=mte HasMOPS=mops HasCSSC=cssc HasHBC=hbc HasLS64=ls64 HasWFxT=wfxt HasXS=xs HasSB=sb
			HasTME=tme HasTHE=the HasD128=d128 HasGCS=gcs HasCPA=cpa HasFAMINMAX=faminmax HasFP8=fp8 HasFP8FMA=fp8fma HasFP8DOT2=fp8dot2 HasFP8DOT4=fp8dot4 HasLUT=lut HasB16B16=b16b16
			HasSVE=sve HasSVEorSME=sve|sme HasSVE2=sve2 HasSVE2orSME=sve2|sme HasSVE2orSME2=sve2|sme2 HasSVE2AES=sve2-aes HasSVE2BitPerm=sve2-bitperm HasSVE2SHA3=sve2-sha3
			HasSVE2SM4=sve2-sm4 HasSVE2p1=sve2p1 HasSVE2p1_or_HasSME=sve2p1|sme HasSVE2p1_or_HasSME2=sve2p1|sme2 HasSVE2p1_or_HasSME2p1=sve2p1|sme2p1
			HasSME=sme HasSMEandIsNonStreamingSafe=sme HasSME2=sme2 HasSME2andIsNonStreamingSafe=sme2 HasSME2p1=sme2p1 HasSMEF64F64=sme-f64f64 HasSMEI16I64=sme-i16i64
			HasSMEF16F16orSMEF8F16=sme-f16f16 HasSMEF8F16=sme-f8f16 HasSMEF8F32=sme-f8f32 HasSME_LUTv2=sme-lutv2
			HasSSVE_FP8FMA=ssve-fp8fma HasSSVE_FP8DOT2=ssve-fp8dot2 HasSSVE_FP8DOT4=ssve-fp8dot4`),
	},
	{
		table: "riscv64", llvm: "RISCV", width: 32,
		manual:     "RISC-V's manual is The RISC-V Instruction Set Manual, volume I, instruction listings, with the vector and bit manipulation chapters",
		namespaces: []string{"", "XVentana"},
		needs: needs(`HasStdExtM HasStdExtZmmul HasStdExtAOrZaamo HasStdExtAOrZalrsc HasStdExtF HasStdExtD HasStdExtCOrZca HasStdExtCOrZcd HasRVCHints IsRV64 IsRV32=never
			HasVInstructions=v HasVInstructionsAnyF=v HasVInstructionsI64=v HasStdExtH=h HasStdExtSvinval=svinval
			HasStdExtZba=zba HasStdExtZbb=zbb HasStdExtZbbOrZbkb=zbb|zbkb HasStdExtZbc=zbc HasStdExtZbcOrZbkc=zbc|zbkc HasStdExtZbkb=zbkb HasStdExtZbkx=zbkx HasStdExtZbs=zbs
			HasStdExtZabha=zabha HasStdExtZacas=zacas HasStdExtZalasr=zalasr HasStdExtZawrs=zawrs HasStdExtZcb=zcb HasStdExtZcmop=zcmop HasStdExtZimop=zimop HasStdExtZfa=zfa
			HasStdExtZfbfmin=zfbfmin HasStdExtZfh=zfh HasStdExtZfhOrZvfh=zfh|zvfh HasStdExtZfhmin=zfhmin HasHalfFPLoadStoreMove=zfhmin|zfbfmin HasStdExtZicbom=zicbom
			HasStdExtZicbop HasStdExtZicboz=zicboz HasStdExtZicfiss=zicfiss HasStdExtZicond=zicond HasStdExtZknd=zknd HasStdExtZkndOrZkne=zknd|zkne HasStdExtZkne=zkne
			HasStdExtZknh=zknh HasStdExtZksed=zksed HasStdExtZksh=zksh HasStdExtZvbb=zvbb HasStdExtZvbc=zvbc HasStdExtZvfbfmin=zvfbfmin HasStdExtZvfbfwma=zvfbfwma HasStdExtZvkb=zvkb
			HasStdExtZvkg=zvkg HasStdExtZvkned=zvkned HasStdExtZvknhaOrZvknhb=zvknha|zvknhb HasStdExtZvksed=zvksed HasStdExtZvksh=zvksh HasVendorXVentanaCondOps=xventanacondops
			HasStdExtCOrZcfOrZce HasStdExtZcmp HasStdExtZcmt HasVendorXCVbitmanip=never`),
	},
	{
		table: "ppc64", llvm: "PPC", width: 64,
		manual:     "the manual is Power ISA 3.1, book I and its appendix of opcode maps",
		namespaces: []string{""},
		harmless:   []string{"=MFFSL"}, // before POWER9 it runs as mffs, which glibc's fegetround and others count on (sysdeps/powerpc/fpu/fenv_libc.h)
		needs: needs(`HasAltivec HasVSX HasFPU HasP8Altivec HasP8Vector HasP8Crypto HasDirectMove HasExtDiv HasBPERMD HasPartwordAtomics HasICBT HasOnlySwappingMemOps IsISA2_06
			IsNotISAFuture HasHTM=htm HasP9Vector=power9 HasP9Altivec=power9 IsISA3_0=power9 IsISA3_1=power10 PrefixInstrs=power10 HasP10Vector=power10 PairedVectorMemops=power10
			MMA=mma IsISAFuture=future In32BitMode=never IsBookE=never IsE500=never IsPPC4xx=never IsPPC6xx=never HasSPE=never`),
		// Power ISA 3.0B, appendix "Power ISA Instruction Set Sorted by Version": v3.0.
		extra: []extra{{"power9", `ADDPCIS CNTTZW CNTTZW_rec CNTTZD CNTTZD_rec EXTSWSLI EXTSWSLI_rec EXTSWSLI_32_64 EXTSWSLI_32_64_rec MODSW MODUW MODSD MODUD MADDHD MADDHDU MADDLD MADDLD8 SETB SETB8 CMPRB CMPRB8
			CMPEQB DARN CP_COPY CP_COPY8 CP_PASTE_rec CP_PASTE8_rec CP_ABORT LWAT LDAT STWAT STDAT MCRXRX SLBIEG SLBSYNC MFFSCE MFFSCDRN MFFSCDRNI MFFSCRN MFFSCRNI MFFSL STOP`}},
	},
	{
		table: "s390x", llvm: "SystemZ", width: 48,
		harmless: []string{"=VPOPCTB"}, // z13 counts in bytes, by the general form
		manual:   "the manual is IBM's z/Architecture Principles of Operation, appendix B",
		needs: needs(`FeatureVector FeatureLoadStoreOnCond FeatureLoadStoreOnCond2 FeatureFPExtension FeatureHighWord FeatureMiscellaneousExtensions FeatureDistinctOps FeatureInterlockedAccess1
			FeatureTransactionalExecution FeatureLoadAndTrap FeatureDFPPackedConversion FeatureDFPZonedConversion FeatureMessageSecurityAssist3 FeatureMessageSecurityAssist4
			FeatureMessageSecurityAssist5 FeatureExecutionHint FeatureLoadAndZeroRightmostByte FeatureEnhancedDAT2 FeatureResetReferenceBitsMultiple FeaturePopulationCount
			FeatureProcessorAssist
			FeatureVectorEnhancements1=z14 FeatureMiscellaneousExtensions2=z14 FeatureVectorPackedDecimal=z14 FeatureGuardedStorage=z14 FeatureInsertReferenceBitsMultiple=z14
			FeatureMessageSecurityAssist7=z14 FeatureMessageSecurityAssist8=z14 FeatureTestPendingExternalInterruption=z14
			FeatureVectorEnhancements2=z15 FeatureMiscellaneousExtensions3=z15 FeatureVectorPackedDecimalEnhancement=z15 FeatureMessageSecurityAssist9=z15 FeatureDeflateConversion=z15
			FeatureEnhancedSort=z15
			FeatureVectorPackedDecimalEnhancement2=z16 FeatureNNPAssist=z16 FeatureBEAREnhancement=z16 FeatureResetDATProtection=z16 FeatureProcessorActivityInstrumentation=z16`),
	},
	{
		table: "mips64", llvm: "Mips", width: 32,
		manual:     "the manual is MIPS Architecture for Programmers, volume II-A (MD00087) and IV-j (MSA)",
		harmless:   []string{"=PAUSE"}, // a shift of nothing before release 2
		namespaces: []string{"", "Mips", "Mips64", "MipsFP64", "Mips32_64_PTR64", "CnMips", "CnMipsP", "MipsDSP"},
		needs: needs(`HasStdEnc NotInMicroMips IsNotSoftFloat NotMips32r6 NotMips64r6 NotFP64bit IsFP64bit IsGP64bit IsPTR64bit HasMadd4 HasMips2 HasMips3 HasMips3_32 HasMips3_32r2 HasMips4_32
			HasMips4_32r2 HasMips5_32r2 HasMips32 HasMips64 NotInMips16Mode NoNaNsFPMath IsNotNaCl NotCnMips RelocNotPIC UseAbs NoIndirectJumpGuards
			HasMips32r2=mips64r2 HasMips64r2=mips64r2 HasMips32r5=mips64r5 HasMips64r5=mips64r5 HasMSA=msa HasDSP=dsp HasDSPR2=dspr2 HasDSPR3=dspr3 HasCnMips=cnmips HasCnMipsP=cnmipsp
			HasEVA=eva HasVirt=vz HasMT=mt HasMips3D=mips3d HasCRC=crc
			IsPTR32bit=never IsGP32bit=never InMicroMips=never InMips16Mode=never HasMips32r6=never HasMips64r6=never RelocPIC=never HasGINV=never`),
	},
	{
		table: "loong64", llvm: "LoongArch", width: 32,
		manual: "the manual is the LoongArch Reference Manual, volume 1, appendix B, and volume 2 for the vector instructions",
		needs:  needs(`IsLA64 HasBasicF HasBasicD HasExtLSX=lsx HasExtLASX=lasx HasExtLBT=lbt HasExtLVZ=lvz`),
	},
	{
		table: "arm", llvm: "ARM", width: 32,
		manual:     "Arm's manual is DDI 0406, chapters A5, A7 and A8, and DDI 0487 for Armv8",
		namespaces: []string{"", "ARM", "VFP", "VFPV8", "NEONData", "NEONLoadStore", "NEONDup", "v8NEON", "v8Crypto", "CoProc"},
		needs:      armNeeds,
		harmless:   armMultiplies,
		// DDI 0406, A8: exclusive access came with Armv6, that of other sizes with Armv6K. LLVM asks for nothing.
		extra: []extra{{"v6", "LDREX STREX"}, {"v6k", "LDREXB LDREXH LDREXD STREXB STREXH STREXD"}},
	},
	{
		table: "thumb", llvm: "ARM", width: 32,
		manual:     "Arm's manual is DDI 0406, chapter A6",
		namespaces: []string{"Thumb2"},
		needs:      armNeeds,
	},
	{
		table: "x86", llvm: "X86",
		manual: "the manuals are Intel's volume 2 (appendix A) and AMD's volumes 3 to 6",
		needs: needs(`In64BitMode Not64BitMode In32BitMode NoVLX NoVLX_Or_NoBWI NoNDD NoFMA4 NoEGPR NoAVX512 NoAVX NoBWI NoDQI NoVLX_Or_NoVNNI NoVLX_Or_NoVAES NoVLX_Or_NoIFMA
			NoVLX_Or_NoVPCLMULQDQ OptForSize NotUseIndirectThunkCalls NoSSE41_Or_OptForSize NoNDD_Or_NoMOVBE FavorMemIndirectCall TruePredicate UseIncDec HasX87 HasCX8=cx8 HasCMOV=cmov
			HasSSEPrefetch HasPrefetchW HasPREFETCHI HasCLDEMOTE HasCLWB=clwb HasCLFLUSH=sse2 HasMFence=sse2
			HasMMX=mmx HasFXSR=fxsr HasSSE1=sse UseSSE1=sse HasSSE2=sse2 UseSSE2=sse2 HasSSE3=sse3 UseSSE3=sse3 HasSSSE3=ssse3 UseSSSE3=ssse3 UseSSE41=sse4.1 UseSSE42=sse4.2 HasSSE4A=sse4a
			HasPOPCNT=popcnt HasCRC32=crc32 HasCX16=cx16 HasLAHFSAHF=lahf HasLZCNT=lzcnt HasBMI=bmi HasBMI2=bmi2 HasMOVBE=movbe HasAVX=avx UseAVX=avx HasAVX2=avx2 HasFMA=fma
			HasFMA4=fma4 HasXOP=xop HasTBM=tbm HasLWP=lwp HasF16C=f16c HasAES=aes HasPCLMUL=pclmul HasSHA=sha HasVAES=vaes HasVPCLMULQDQ=vpclmulqdq HasGFNI=gfni HasSM3=sm3 HasSM4=sm4
			HasSHA512=sha512 HasRDRAND=rdrnd HasRDSEED=rdseed HasFSGSBase=fsgsbase HasCLFLUSHOPT=clflushopt HasXSAVE=xsave HasXSAVEC=xsavec HasXSAVEOPT=xsaveopt HasXSAVES=xsaves
			HasRTM=rtm HasRDPID=rdpid HasRDPRU=rdpru HasPTWRITE=ptwrite HasWAITPKG=waitpkg HasMWAITX=mwaitx HasMOVDIRI=movdiri HasMOVDIR64B=movdir64b HasENQCMD=enqcmd HasUINTR=uintr
			HasSERIALIZE=serialize HasTSXLDTRK=tsxldtrk HasCLZERO=clzero HasKL=kl HasWIDEKL=widekl HasPCONFIG=never HasSGX=never HasINVPCID=never HasHRESET=never HasWBNOINVD HasUSERMSR=never
			HasAVX512=avx512f HasVLX=avx512vl HasBWI=avx512bw HasDQI=avx512dq HasCDI=avx512cd HasVBMI=avx512vbmi HasVBMI2=avx512vbmi2 HasIFMA=avx512ifma HasVNNI=avx512vnni
			HasBITALG=avx512bitalg HasVPOPCNTDQ=avx512vpopcntdq HasBF16=avx512bf16 HasFP16=avx512fp16 HasVP2INTERSECT=avx512vp2intersect HasAVXVNNI=avxvnni HasAVXVNNIINT8=avxvnniint8
			HasAVXVNNIINT16=avxvnniint16 HasAVXNECONVERT=avxneconvert HasAVXIFMA=avxifma HasRAOINT=raoint HasCMPCCXADD=cmpccxadd HasAMXTILE=amx HasAMXINT8=amx HasAMXBF16=amx HasAMXFP16=amx
			HasAMXCOMPLEX=amx HasEGPR=never HasNDD=never HasCF=never`),
		// Intel's manual, volume 2, gives these a CPUID bit; LLVM asks for none.
		extra: []extra{{"adx", "ADCX32rr ADCX32rm ADCX64rr ADCX64rm ADOX32rr ADOX32rm ADOX64rr ADOX64rm"},
			{"sse3", "FISTTP16m FISTTP32m FISTTP64m ISTT_FP16m ISTT_FP32m ISTT_FP64m"},
			{"xsave", "XGETBV"}},
		// F3 0F BC is BSF with a prefix that older machines ignore, and compilers write it for that. The reserved NOPs
		// of the P6 (0F 18, 0F 1E) hold prefetches, RDSSP and ENDBR.
		harmless: []string{"TZCNT", "RDSSP", "ENDBR", "PREFETCH"},
	},
}

// v6t2 and v6k have no name in baseline.toml; package isa knows which feature has them. Which coprocessor an
// instruction speaks to is no matter of the table.
var armNeeds = needs(`IsARM IsThumb IsThumb2 PreV8 HasV4T=v5te HasV5T=v5te HasV5TE=v5te IsNotMClass UseMulOps UseFPVMLx UseFusedMAC DontUseNEONForFP HasDPVFP UseVMOVSR HasFastVDUP32
	HasFastVGETLNi32 DontUseNaClTrap NoV4T HasTrustZone
	HasV6=v6 HasV6K=v6k HasV6T2=v6t2 HasV6M=v6 HasV7=v7 HasV7Clrex=v7 HasDB=v7 HasMP=v7mp HasV8=v8 HasV8_1a=v8.1 HasV8_3a=v8.3 HasV8_4a=v8.4 HasAcquireRelease=v8 HasCRC=crc
	HasDivideInARM=idiv HasDivideInThumb=idiv HasVirtualization=idiv HasDSP=v6t2 HasSB=sb
	HasNEON=neon HasFPRegs=vfp HasFPRegs16=fp16 HasFPRegs64=vfp HasVFP2=vfp HasVFP3=vfpv3-d16 HasVFP4=vfpv4 HasFP16=half HasFullFP16=fp16 HasFPARMv8=fp-armv8 HasFP16FML=fhm
	HasAES=crypto HasSHA2=crypto HasDotProd=dotprod HasBF16=bf16 HasMatMulInt8=i8mm
	UseNaClTrap=never IsThumb1Only=never IsMClass=never HasMVEInt=never HasMVEFloat=never HasV8_1MMainline=never HasV8MBaseline HasV8MMainline=never Has8MSecExt=never HasCDE=never HasLOB=never
	HasPACBTI=never HasFPRegsV8_1M=never IsWindows=never`)

// armMultiplies are of Armv4 and before (LLVM only forbids its compiler to use one register twice there); hints run as
// nothing on machines older than they are.
var armMultiplies = []string{"=MUL", "=MLA", "=SMULL", "=UMULL", "=SMLAL", "=UMLAL", "=HINT"}
