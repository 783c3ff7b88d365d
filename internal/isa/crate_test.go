package isa

import "testing"

func TestCrateOf(t *testing.T) {
	for name, want := range map[string]string{
		"_RNvNtNtCsgqYHdslBAMQ_9crc32fast11specialized7aarch649calculate":                         "CsgqYHdslBAMQ_9crc32fast",
		"_RNvMCsgqYHdslBAMQ_9crc32fastNtB2_6Hasher6update":                                        "CsgqYHdslBAMQ_9crc32fast",
		"_RNvNtCs1_10_123escaped4main":                                                            "Cs1_10_123escaped",
		"_RNvC6_123foo3bar":                                                                       "", // a crate without a disambiguator is no compiler's
		"_RNvCsx_99short":                                                                         "",
		"_ZN9crc32fast6Hasher6update17h0123456789abcdefE":                                         "crc32fast",
		"_ZN9crc32fast6Hasher6update17h0123456789abcdefE.llvm.12":                                 "crc32fast",
		"_ZN53_$LT$crc32fast..Hasher$u20$as$u20$core..hash..Hasher$GT$5write17h0123456789abcdefE": "crc32fast",
		"_ZN9crc32fast6Hasher6updateEv":                                                           "", // C++
		"_ZN99crc17h0123456789abcdefE":                                                            "",
		"main":                                                                                    "",
		"":                                                                                        "",
	} {
		if got := crateOf(name); got != want {
			t.Errorf("%s is of %q, want %q", name, got, want)
		}
	}
}

func TestHomeOf(t *testing.T) {
	for name, want := range map[string]string{
		"_ZN8Rijndael15blockDecryptSSEEPKhmPh": "_ZN8Rijndael",
		"_ZN8Rijndael4InitEbPKhjS1_":           "_ZN8Rijndael",
		"_ZN8RijndaelC1Ev":                     "_ZN8Rijndael",
		"_ZNK2ns8Rijndael3useEPh":              "_ZN2ns8Rijndael",
		"_ZN2ns8RijndaeleqERKS0_":              "_ZN2ns8Rijndael",
		"_ZN2ns3FooIiE3barEv":                  "", // Foo<int>
		"_ZN12_GLOBAL__N_13fooEv":              "",
		"_ZL3fooi":                             "",
		"_Z3fooi":                              "",
		"_ZN3fooE":                             "",
		"_ZN99shortE":                          "",
		"_ZN9crc32fast6Hasher6update17h0123456789abcdefE":  "crc32fast",
		"_RNvMCsgqYHdslBAMQ_9crc32fastNtB2_6Hasher6update": "CsgqYHdslBAMQ_9crc32fast",
		"main": "",
		"":     "",
	} {
		if got := homeOf(name); got != want {
			t.Errorf("%s is of %q, want %q", name, got, want)
		}
	}
}
