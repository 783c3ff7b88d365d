//go:build go1.21

package main

//go:noinline
func least(a, b float64, c, d float32) (float64, float64, float32, float32) {
	return min(a, b), max(a, b), min(c, d), max(c, d)
}
