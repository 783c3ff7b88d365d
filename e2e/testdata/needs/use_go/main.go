package main

// #cgo pkg-config: pclib
// #cgo LDFLAGS: -lgreet
// #include <greet.h>
// #include <pclib.h>
import "C"

import "fmt"

func main() { fmt.Println(C.GoString(C.greet()), C.pclib()) }
