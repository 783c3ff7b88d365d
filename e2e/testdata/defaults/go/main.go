// What Go's compiler makes of code that leaves it a choice of instructions. Only exact numbers come out, so that all
// platforms and releases print the same.
package main

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"os"
	"strconv"
	"sync/atomic"
)

//go:noinline
func doubles(a *[40]float64, q float64) float64 {
	b0, b1, b2, b3, b4, b5, b6, b7, b8, b9 := a[0]*a[39], a[1]*a[38], a[2]*a[37], a[3]*a[36], a[4]*a[35], a[5]*a[34], a[6]*a[33], a[7]*a[32], a[8]*a[31], a[9]*a[30]
	c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 := a[10]*a[29], a[11]*a[28], a[12]*a[27], a[13]*a[26], a[14]*a[25], a[15]*a[24], a[16]*a[23], a[17]*a[22], a[18]*a[21], a[19]*a[20]
	s := ((((((((c9*q+c8)*q+c7)*q+c6)*q+c5)*q+c4)*q+c3)*q+c2)*q+c1)*q + c0
	return (((((((((s*q+b9)*q+b8)*q+b7)*q+b6)*q+b5)*q+b4)*q+b3)*q+b2)*q+b1)*q + b0
}

//go:noinline
func floats(a *[40]float32, q float32) float32 {
	b0, b1, b2, b3, b4, b5, b6, b7, b8, b9 := a[0]*a[39], a[1]*a[38], a[2]*a[37], a[3]*a[36], a[4]*a[35], a[5]*a[34], a[6]*a[33], a[7]*a[32], a[8]*a[31], a[9]*a[30]
	c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 := a[10]*a[29], a[11]*a[28], a[12]*a[27], a[13]*a[26], a[14]*a[25], a[15]*a[24], a[16]*a[23], a[17]*a[22], a[18]*a[21], a[19]*a[20]
	s := ((((((((c9*q+c8)*q+c7)*q+c6)*q+c5)*q+c4)*q+c3)*q+c2)*q+c1)*q + c0
	return (((((((((s*q+b9)*q+b8)*q+b7)*q+b6)*q+b5)*q+b4)*q+b3)*q+b2)*q+b1)*q + b0
}

//go:noinline
func wide(x, y, z uint64) uint64 {
	h, l := bits.Mul64(x, y)
	l, c := bits.Add64(l, z, 0)
	h, _ = bits.Add64(h, 0, c)
	q, r := bits.Div64(h%z, l, z)
	d, b := bits.Sub64(q, r, 0)
	return d ^ b ^ h
}

//go:noinline
func counts(x uint64, y uint32, z uint16) int {
	n := bits.OnesCount64(x) + 3*bits.OnesCount32(y) + 5*bits.OnesCount16(z) + 7*bits.LeadingZeros64(x) + 11*bits.TrailingZeros64(x) + 13*bits.LeadingZeros32(y) + 17*bits.TrailingZeros32(y)
	x = bits.ReverseBytes64(x) ^ bits.RotateLeft64(x, int(y)) ^ bits.Reverse64(x) ^ uint64(bits.ReverseBytes32(y)) ^ uint64(bits.ReverseBytes16(z))
	return n + bits.Len64(x) + int(x%1000) + int(x/7%100) + int(y%11) + int(int32(y)/9) + int(x&^uint64(y)>>40)
}

//go:noinline
func converts(d float64, f float32, l int64, u uint64, i int32, w uint32) float64 {
	r := float64(l) + float64(u) + float64(i) + float64(w) + float64(float32(l)) + float64(float32(u)) + float64(float32(i)) + float64(float32(w)) + float64(f)
	r += float64(int64(d)) + float64(uint64(d)) + float64(int32(d)) + float64(uint32(d)) + float64(int64(f)) + float64(uint64(f)) + float64(int32(f)) + float64(uint32(f))
	return r + float64(float32(d)) + float64(math.Float64bits(d)>>40) + float64(math.Float32bits(f)>>20) + math.Float64frombits(uint64(w)<<52)
}

//go:noinline
func rounds(d float64, f float32) float64 {
	r := math.Floor(d) + math.Ceil(d) + math.Trunc(d) + math.Round(d) + math.RoundToEven(d) + math.Abs(d) + math.Copysign(d, -1) + math.Min(d, 3) + math.Max(d, 3) + math.Sqrt(d*d) + math.FMA(d, 2, 1)
	r += float64(float32(math.Sqrt(float64(f*f)))) + float64(float32(math.Floor(float64(f)))) + math.Ldexp(d, 3) + math.Mod(d, 2)
	if math.IsNaN(r) || math.IsInf(r, 0) || math.Signbit(d) {
		r = 0
	}
	return r + math.Sin(0) + math.Exp(0) + math.Log(1) + math.Pow(2, 10) + math.Atan2(0, 1)
}

var (
	q uint64 = 40
	w uint32 = 30
	v atomic.Value
)

//go:noinline
func atomics() uint64 {
	r := atomic.AddUint64(&q, 2)
	if atomic.CompareAndSwapUint64(&q, 42, 99) {
		r += 1000
	}
	r += atomic.SwapUint64(&q, 7)
	r += uint64(atomic.AddUint32(&w, 2))
	r += uint64(atomic.SwapUint32(&w, 3))
	v.Store("kept")
	atomic.StoreUint64(&q, 5)
	return r + atomic.LoadUint64(&q) + uint64(atomic.LoadUint32(&w)) + uint64(len(v.Load().(string)))
}

//go:noinline
func copies(to, from []byte) (sum uint32) {
	var block [200]byte
	copy(block[:], from)
	copy(block[3:40], block[1:])
	copy(to, block[:])
	for i := range to[100:161] {
		to[100+i] = 0
	}
	more := block
	if more == block && string(to[:3]) == string(block[:3]) {
		sum++
	}
	for _, b := range to {
		sum = sum*31 + uint32(b)
	}
	return sum
}

func main() {
	one := len(os.Args)
	var d [40]float64
	var f [40]float32
	for i := range d {
		d[i], f[i] = float64(i)+0.5*float64(one), float32(i)-3.5*float32(one)
	}
	n := uint64(one)
	fmt.Printf("live %.3f %.3f %d\n", doubles(&d, float64(one)), floats(&f, float32(one)), wide(0x9e3779b97f4a7c15*n, 0xc2b2ae3d27d4eb4f*n, 0x165667b19e3779f9*n))
	fmt.Println("counts", counts(0x00f0123456789ab0*n, 0x00deadb0*uint32(n), 0x1230*uint16(n)))
	fmt.Printf("converts %.3f\n", converts(42.75*float64(one), 17.5*float32(one), -1234567*int64(one), 7654321*n, -77*int32(one), 99*uint32(n)))
	fmt.Printf("rounds %.3f\n", rounds(2.5*float64(one), 6.25*float32(one)))
	fmt.Println("atomics", atomics())
	from, to := make([]byte, 400), make([]byte, 300)
	for i := range from {
		from[i] = byte(i * one)
	}
	fmt.Println("copies", copies(to, from))
	parsed, err := strconv.ParseFloat("1.5e3", 64)
	fmt.Println("library", parsed, err, strconv.FormatFloat(parsed/7, 'g', -1, 64), new(big.Int).Exp(big.NewInt(3), big.NewInt(200), nil))
	a, b, c, e := least(d[3], d[4], f[5], f[6])
	fmt.Println("least", a, b, c, e)
}
