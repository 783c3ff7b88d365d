package platform

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMacroTable: every row says what it must, of platforms and features that there are, and no name is undefined by
// one row and defined by another.
func TestMacroTable(t *testing.T) {
	seen, kinds := map[string]bool{}, map[string]string{}
	for _, r := range Macros() {
		where := r.Kind + "." + r.ID
		if seen[where] {
			t.Errorf("[%s] stands twice", where)
		}
		seen[where] = true
		if r.Why == "" || strings.HasSuffix(r.Why, ".") || len(r.Names) == 0 || len(r.On) == 0 {
			t.Errorf("[%s]: want names, platforms and a reason without a full stop: %+v", where, r)
		}
		if (r.Kind == "leave") != (r.Only != "") || r.Only != "" && !slices.Contains([]string{"clang", "gcc", "value"}, r.Only) || (r.Kind == "flags") != (len(r.Flags) > 0) {
			t.Errorf("[%s]: only is of leave, flags of flags: %+v", where, r)
		}
		if !slices.Contains([]string{"", "c", "c++", "asm"}, r.Lang) || r.Lang != "" && r.Kind != "leave" {
			t.Errorf("[%s]: a flag is of every language: %q", where, r.Lang)
		}
		for _, name := range r.On {
			p, err := Parse(name)
			if name != "linux/*" && (err != nil || p.Name != name || !r.Concerns(p)) {
				t.Errorf("[%s]: no platform of Linux with a sysroot is %q", where, name)
				continue
			}
			for _, f := range slices.Concat(r.When, r.Unless) {
				if a := baselines().arches[baselines().levels[p.level].arch]; f != "cpu" && a.feature[f] == nil {
					t.Errorf("[%s]: %s has no feature %q", where, name, f)
				}
			}
			for _, n := range r.Names {
				macro, value, isDefine := strings.Cut(n, "=")
				if r.Kind == "leave" {
					if _, err := regexp.Compile(n); err != nil {
						t.Errorf("[%s]: %v", where, err)
					}
					continue
				}
				// The configuration file is read as a response file and bindgen's variable as a shell would: what
				// both take as it stands.
				if isDefine != (r.Kind == "define") || regexp.MustCompile(`[^A-Za-z0-9_$]`).MatchString(macro+value) {
					t.Errorf("[%s]: %q", where, n)
				}
				if was := kinds[name+" "+macro]; was != "" && len(r.When)+len(r.Unless) == 0 {
					t.Errorf("[%s]: %s is %s in another row", where, macro, was)
				}
				kinds[name+" "+macro] = r.Kind
			}
		}
	}
}

// TestMacros: conditions, variants, and what has none.
func TestMacros(t *testing.T) {
	for _, c := range []struct {
		platform, cpu string
		features      []string
		has, hasNot   string
	}{
		{"linux/ppc64le", "", nil, "-U__ppc__ -U__sync -mno-htm -D__FP_FAST_FMA=1", ""},
		{"linux/ppc64le", "power10", nil, "-U__ppc__ -mno-htm", ""},
		{"linux/s390x", "z15", nil, "-mno-htm", "-U__ppc__"},
		{"linux/riscv64", "", nil, "-mcmodel=medany", ""},
		{"linux/amd64", "", nil, "-U__tune_k8__", "-D__FP_FAST_FMA=1"},
		{"linux/amd64/v3", "", nil, "-D__FP_FAST_FMA=1", "-U__tune_k8__"},
		{"linux/amd64", "znver1", nil, "-D__FP_FAST_FMA=1", "-U__tune_k8__"},
		{"linux/arm64/v9", "", nil, "-D__GCC_DESTRUCTIVE_SIZE=256", ""},
		{"linux/arm/v5", "", nil, "-D__GCC_IEC_559=0", "-U__ARM_VFPV2__"},
		{"linux/arm/v6", "", nil, "-U__ARM_VFPV2__", "-D__GCC_IEC_559=0 -U__ARM_PCS"},
		{"linux/arm/v7", "", nil, "-U__ARM_PCS -U__ARM_FP16_FORMAT_IEEE", "-D__FP_FAST_FMA=1 -U__ARM_VFPV4__"},
		{"linux/arm/v7", "", []string{"neon", "vfpv4"}, "-D__FP_FAST_FMA=1 -U__ARM_VFPV4__", ""},
		{"linux/arm/v7", "", []string{"fp16"}, "", "-U__ARM_FP16_FORMAT_IEEE"},
		{"windows/amd64", "", nil, "", "-U__tune_k8__ -U__FLOAT_WORD_ORDER__"},
		{"darwin/arm64", "", nil, "", "-U__ARM_NEON_FP"},
	} {
		p, err := Parse(c.platform)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Baseline(c.cpu, c.features)
		if err != nil {
			t.Errorf("%s %s %v: %v", c.platform, c.cpu, c.features, err)
			continue
		}
		flags := b.Macros()
		for _, f := range strings.Fields(c.has) {
			if !slices.Contains(flags, f) {
				t.Errorf("%s %s %v: no %s among %q", c.platform, c.cpu, c.features, f, flags)
			}
		}
		for _, f := range strings.Fields(c.hasNot) {
			if slices.Contains(flags, f) {
				t.Errorf("%s %s %v: %s", c.platform, c.cpu, c.features, f)
			}
		}
	}
}
