// Command sortwords sorts words as a language does, with golang.org/x/text.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/message"
)

// version is set by the linker.
var version = "unknown"

func main() {
	fmt.Printf("sortwords %s on %s/%s\n", version, runtime.GOOS, runtime.GOARCH)

	words := []string{"zebra", "äpple", "apa", "ö", "ål", "ost"}
	if len(os.Args) > 1 {
		words = os.Args[1:]
	}
	for _, tag := range []language.Tag{language.German, language.Swedish} {
		fmt.Printf("%s: %s\n", display.English.Tags().Name(tag), strings.Join(sorted(words, tag), " "))
	}
	message.NewPrinter(language.German).Printf("%d letters, %.2f a word\n", letters(words),
		float64(letters(words))/float64(len(words)))
}

// sorted returns a copy of words in the order of the language.
func sorted(words []string, tag language.Tag) []string {
	c := append([]string(nil), words...)
	collate.New(tag).SortStrings(c)
	return c
}

func letters(words []string) int {
	return len([]rune(strings.Join(words, "")))
}
