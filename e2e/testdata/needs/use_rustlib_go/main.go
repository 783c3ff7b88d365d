package main

// #cgo pkg-config: rustlib
// #include <rustlib.h>
import "C"

import "fmt"

func main() { fmt.Println(C.rustlib(9)) }
