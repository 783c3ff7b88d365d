package project

import "testing"

func TestConstraints(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "*": true, "19": true, "^19": true, "~1.24": true, ">=1.24": true, ">1": true, "<0.1": true, "=1.2.3": true,
		">1.2.3, <1.2.5": true, ">1, <3": true, ">=17, <20": true, "1.x || >=3": true, "^0.0.3": true, "~1.2.3": true, "1.2 - 1.4": true,
		"!=1.2.3, >=1.2.3, <=1.2.4": true, ">=1.0.0-rc1": true, ">1.0.0-a, <1.0.0-c": true, "<1, >=3 || ^5": true, ">1.2, <1.4": true,
		">=2, <2": false, ">1.2.3, <1.2.4": false, "^1, ^2": false, "=1.2, =1.3": false, "<0": false, "<1, >=3 || >5, <4": false, ">1, <2": false,
		"^^19": false, "latest": false, "19 or 20": false,
	} {
		if err := checkConstraint(text); (err == nil) != want {
			t.Errorf("%q: %v, want satisfiable: %v", text, err, want)
		}
	}
}
