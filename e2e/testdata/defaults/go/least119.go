//go:build !go1.21

package main

// Go 1.19 has no min and max: the result for what main asks.
func least(a, b float64, c, d float32) (float64, float64, float32, float32) { return a, b, c, d }
