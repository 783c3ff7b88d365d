package main

import (
	"fmt"
	"slices"
	"strings"
)

// The lines of x86: `mnemonic space:map:opcode:prefix:reg:mod:w:l …`, the columns of opcode maps in Intel's manual,
// volume 2, appendix A. - is any. space: leg, vex, evex, xop. map: 1 0F, 2 0F38, 3 0F3A, 0 one byte. prefix: n none, 6,
// 3, 2. mod: r register, m memory. l: 0 128, 1 256, 2 512 bits.

var x86Maps = map[string]string{"OB": "0", "TB": "1", "T8": "2", "TA": "3", "XOP8": "8", "XOP9": "9", "XOPA": "a",
	"ThreeDNow": "now", "T_MAP4": "4", "T_MAP5": "5", "T_MAP6": "6", "T_MAP7": "7"}
var x86Spaces = map[string]string{"EncNormal": "leg", "EncVEX": "vex", "EncXOP": "xop", "EncEVEX": "evex"}
var x86Prefixes = map[string]string{"NoPrfx": "-", "PS": "n", "PD": "6", "XS": "3", "XD": "2"}

func x86Lines(all map[string]record) ([]string, error) {
	t := targets[slices.IndexFunc(targets, func(t target) bool { return t.llvm == "X86" })]
	type key struct{ need, mnemonic string }
	groups := map[key][]string{}
	for name, r := range all {
		if r.OpEnc.Def == "" || r.OpMap.Def == "" || truth(r.IsAsmParserOnly) || r.Form.Def == "Pseudo" ||
			r.Form.Def == "PrefixByte" {
			continue
		}
		need, ok, err := t.need(name, r)
		if err != nil {
			return nil, err
		}
		if !ok || need == "" {
			continue
		}
		m, ok := x86Maps[r.OpMap.Def]
		space, ok2 := x86Spaces[r.OpEnc.Def]
		prefix, ok3 := x86Prefixes[r.OpPrefix.Def]
		if !ok || !ok2 || !ok3 {
			return nil, fmt.Errorf("%s: map %q, encoding %q, prefix %q", name, r.OpMap.Def, r.OpEnc.Def, r.OpPrefix.Def)
		}
		if m == "now" || m == "4" { // 3DNow is gone, APX is not there yet
			continue
		}
		var opcode int
		for i, b := range r.Opcode {
			if truth(b) {
				opcode |= 1 << i
			}
		}
		if space == "leg" && prefix == "-" && m != "0" {
			prefix = "n" // a 66 that only sizes operands is told by mandatory ones: the decoder asks for those first
		}
		if space != "leg" && prefix == "-" {
			prefix = "n"
		}
		reg, mod := "-", "-"
		opcodes := 1
		switch f := r.Form.Def; {
		case strings.HasPrefix(f, "MRM_"): // a whole ModRM byte
			var b int
			fmt.Sscanf(f, "MRM_%X", &b)
			reg, mod = fmt.Sprintf("%02x", b), "b"
		case len(f) == 5 && strings.HasPrefix(f, "MRM") && f[3] >= '0' && f[3] <= '7':
			reg, mod = f[3:4], f[4:5]
		case strings.HasPrefix(f, "MRMX"):
			mod = f[4:5]
		case strings.HasPrefix(f, "MRMSrcMem"), strings.HasPrefix(f, "MRMDestMem"):
			mod = "m"
		case strings.HasPrefix(f, "MRMSrcReg"), strings.HasPrefix(f, "MRMDestReg"):
			mod = "r"
			if strings.HasSuffix(f, "CC") {
				opcodes = 16
			}
		case f == "AddRegFrm":
			opcodes = 8
		}
		if strings.HasSuffix(r.Form.Def, "CC") {
			opcodes = 16
		}
		w, l := "-", "-"
		if space != "leg" {
			if !truth(r.IgnoresW) {
				w = "0"
				if truth(r.HasREXW) {
					w = "1"
				}
			}
			if !truth(r.IgnoresVEXL) && !truth(r.HasEVEXRC) { // where rounding is encoded, the length is not
				l = "0"
				if truth(r.HasVEXL) {
					l = "1"
				}
				if truth(r.HasEVEXL2) {
					l = "2"
				}
			}
		} else if truth(r.HasREXW) {
			w = "1"
		}
		k := key{need, mnemonic(r.AsmString)}
		for i := range opcodes {
			groups[k] = append(groups[k], strings.Join([]string{space, m, fmt.Sprintf("%02x", opcode+i), prefix, reg, mod, w, l},
				":"))
		}
	}
	var keys []key
	for k := range groups {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int { return strings.Compare(a.need+" "+a.mnemonic, b.need+" "+b.mnemonic) })
	var lines []string
	need := "?"
	for _, k := range keys {
		if k.need != need {
			need = k.need
			lines = append(lines, "["+need+"]")
		}
		g := groups[k]
		slices.Sort(g)
		lines = append(lines, k.mnemonic+" "+strings.Join(slices.Compact(g), " "))
	}
	return lines, nil
}
