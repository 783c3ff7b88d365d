package main

import (
	"slices"
	"testing"

	"golang.org/x/text/language"
)

func TestSorted(t *testing.T) {
	words := []string{"ö", "z", "o"}
	for _, test := range []struct {
		tag  language.Tag
		want []string
	}{
		{language.German, []string{"o", "ö", "z"}},
		{language.Swedish, []string{"o", "z", "ö"}},
	} {
		if got := sorted(words, test.tag); !slices.Equal(got, test.want) {
			t.Errorf("sorted(%v, %v) = %v, want %v", words, test.tag, got, test.want)
		}
	}
}
