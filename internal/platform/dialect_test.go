package platform

import "testing"

// dialect is one like Zig's.
var dialect = Dialect{
	Targets: map[string]map[string]string{
		"linux/arm/v7": {"gnu": "arm-gnueabihf", "musl": "arm-musleabihf"},
		"linux/amd64":  {"gnu": "x86_64-gnu"},
	},
	CPUs:     map[string]string{"x86-64": "x86_64", "x86-64-v3": "x86_64_v3", "pentium4": "i686+sse2", "i686": "i686", "armv7-a": "generic+v7a"},
	Beyond:   map[string][]string{"armv7-a": {"vfpv3", "neon"}},
	Feature:  "+%",
	Lack:     "-%",
	Features: map[string]map[string]string{"x86": {"sse4.1": "sse4_1", "sse4.2": "sse4_2", "x86-64-v2": "", "lahf": "sahf"}, "arm": {"vfpv3": "vfp3 d32"}},
}

func TestDialect(t *testing.T) {
	for _, c := range []struct {
		platform, cpu string
		features      []string
		want          string
	}{
		{"linux/amd64", "", nil, "x86_64"},
		{"linux/amd64", "", []string{"sse4.1"}, "x86_64+sse3+ssse3+sse4_1"},
		{"linux/amd64", "nehalem", nil, "x86_64+sse3+ssse3+sse4_1+sse4_2+popcnt+crc32+cx16+sahf"},
		{"linux/amd64/v3", "", nil, "x86_64_v3"},
		{"linux/amd64/v3", "", []string{"-avx2"}, "x86_64+sse3+ssse3+sse4_1+sse4_2+popcnt+crc32+cx16+sahf+xsave+avx+f16c+fma+bmi+bmi2+lzcnt+movbe"},
		{"linux/386", "", nil, "i686+sse2"},
		{"linux/386", "", []string{"-sse2"}, "i686"},
		{"linux/arm/v7", "", nil, "generic+v7a-vfp3-d32-neon"},
		{"linux/arm/v7", "", []string{"vfpv3"}, "generic+v7a+vfp3+d32-neon"},
		{"linux/arm/v7", "", []string{"neon"}, "generic+v7a+vfp3+d32+neon"},
	} {
		p, err := Parse(c.platform)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Baseline(c.cpu, c.features)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := b.In(dialect); err != nil || got != c.want {
			t.Errorf("%s, cpu %q, features %q: %q (%v)\nwant %q", c.platform, c.cpu, c.features, got, err, c.want)
		}
	}
	for _, c := range []struct{ platform, libc, want string }{
		{"linux/arm/v7", "musl", "arm-musleabihf"},
		{"linux/amd64/v3", "gnu", "x86_64-gnu"},
		{"linux/amd64", "musl", ""},
		{"linux/arm64", "gnu", ""},
	} {
		p, err := Parse(c.platform)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := dialect.Target(p, c.libc); got != c.want || ok != (c.want != "") {
			t.Errorf("%s with %s: %q", c.platform, c.libc, got)
		}
	}
}

func TestDialectCheck(t *testing.T) {
	for want, d := range map[string]Dialect{
		`cpus: linux/amd64/v2 is at level x86-64-v2, which is not there`: dialect,
		`cpus: there is no level "x86"`:                                  {CPUs: map[string]string{"x86": "x"}},
		`features: x86 has no feature "sse9"`:                            {Features: map[string]map[string]string{"x86": {"sse9": ""}}},
		`features: there is no instruction set "vax"`:                    {Features: map[string]map[string]string{"vax": nil}},
		`beyond: there is no level "i686" with a feature "neon"`:         {Beyond: map[string][]string{"i686": {"neon"}}},
		`targets: "amd64" is spelled "linux/amd64"`:                      {Targets: map[string]map[string]string{"amd64": nil}},
	} {
		if err := d.Check(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
