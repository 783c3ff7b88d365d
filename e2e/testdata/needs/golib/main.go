package main

import "C"

import "strings"

//export golib
func golib(n C.int) C.int { return C.int(len(strings.Repeat("ab", int(n)))) }

func main() {}
