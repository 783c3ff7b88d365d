package isa

import (
	"bufio"
	"embed"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The tables, written by gen, which names their sources.
//
//go:embed tables
var tables embed.FS

// An entry says what an instruction needs beyond its architecture's oldest baseline.
type entry struct {
	mnemonic string
	need     need
}

// A need is what must all be there; each of its parts is one of several features, first the one that is named. A need
// without parts is met by every machine.
type need [][]string

func parseNeed(s string) need {
	var n need
	if s == "" {
		return nil
	}
	for part := range strings.SplitSeq(s, "+") {
		n = append(n, strings.Split(part, "|"))
	}
	return n
}

// lacks is the part of the need that a set of features does not have, "" where nothing lacks.
func (n need) lacks(set map[string]bool) string {
	for _, part := range n {
		if !slices.ContainsFunc(part, func(f string) bool { return set[f] }) {
			return part[0]
		}
	}
	return ""
}

// A row is an entry with the bits that tell its instructions.
type row struct {
	value, mask uint64
	entry       *entry
}

// A table finds the entry of an instruction by its bits. Rows are looked up by the bits that most of them fix, so that
// a word of code costs a few comparisons.
type table struct {
	runs  []run // the index bits, as runs of neighbours
	index [][]row
	// whether there is a row for the bits: most words have none, and this is small enough to stay near the processor
	some []bool
}

type run struct{ shift, width uint }

const indexBits = 13

// find returns the entry of the most special row that the word matches, nil where it is none's or the baseline's.
func (t *table) find(word uint64) *entry {
	var key uint64
	for _, r := range t.runs {
		key = key<<r.width | word>>r.shift&(1<<r.width-1)
	}
	if !t.some[key] {
		return nil
	}
	for _, r := range t.index[key] {
		if word&r.mask == r.value {
			if r.entry.need == nil {
				return nil
			}
			return r.entry
		}
	}
	return nil
}

// findFixed is find among the rows that fix some bits.
func (t *table) findFixed(word, fixed uint64) *entry {
	var key uint64
	for _, r := range t.runs {
		key = key<<r.width | word>>r.shift&(1<<r.width-1)
	}
	for _, r := range t.index[key] {
		if r.mask&fixed == fixed && word&r.mask == r.value {
			if r.entry.need == nil {
				return nil
			}
			return r.entry
		}
	}
	return nil
}

// newTable reads the text of a table.
func newTable(text string) (*table, error) {
	var rows []row
	var needed need
	sc := bufio.NewScanner(strings.NewReader(text))
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			needed = parseNeed(strings.Trim(line, "[]"))
			continue
		}
		fields := strings.Fields(line)
		e := &entry{mnemonic: fields[0], need: needed}
		for _, f := range fields[1:] {
			v, m, ok := strings.Cut(f, "/")
			value, err := strconv.ParseUint(v, 16, 64)
			mask, err2 := strconv.ParseUint(m, 16, 64)
			if !ok || err != nil || err2 != nil || value&^mask != 0 {
				return nil, fmt.Errorf("line %d: %q is no value/mask", n, f)
			}
			rows = append(rows, row{value, mask, e})
		}
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, func(a, b row) int { return bits.OnesCount64(b.mask) - bits.OnesCount64(a.mask) })
	var fixed [64]int
	for _, r := range rows {
		for m := r.mask; m != 0; m &= m - 1 {
			fixed[bits.TrailingZeros64(m)]++
		}
	}
	order := make([]int, 64)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return fixed[b] - fixed[a] })
	chosen := order[:indexBits]
	slices.SortFunc(chosen, func(a, b int) int { return b - a })
	t := &table{index: make([][]row, 1<<indexBits), some: make([]bool, 1<<indexBits)}
	for _, bit := range chosen {
		if last := len(t.runs) - 1; last >= 0 && t.runs[last].shift == uint(bit)+1 {
			t.runs[last] = run{uint(bit), t.runs[last].width + 1}
		} else {
			t.runs = append(t.runs, run{uint(bit), 1})
		}
	}
	for _, r := range rows {
		var value, mask uint64
		for _, bit := range chosen {
			value = value<<1 | r.value>>bit&1
			mask = mask<<1 | r.mask>>bit&1
		}
		open := ^mask & (1<<indexBits - 1)
		for sub := open; ; sub = (sub - 1) & open { // each way to fill the bits that the row leaves open
			t.index[value|sub] = append(t.index[value|sub], r)
			if sub == 0 {
				break
			}
		}
	}
	for i, rows := range t.index { // what is left without a match is the baseline's, too
		for len(rows) > 0 && rows[len(rows)-1].entry.need == nil {
			rows = rows[:len(rows)-1]
		}
		t.index[i], t.some[i] = rows, len(rows) > 0
	}
	return t, nil
}

// The tables of the fixed-width instruction sets. One that cannot be read is a fault of the program.
var (
	arm64Table = tableOf("arm64")
	armTable   = tableOf("arm")
	thumbTable = tableOf("thumb")
	riscvTable = tableOf("riscv64")
	ppcTable   = tableOf("ppc64")
	s390xTable = tableOf("s390x")
	mipsTable  = tableOf("mips64")
	loongTable = tableOf("loong64")
)

func tableOf(name string) func() *table {
	return sync.OnceValue(func() *table {
		text, err := tables.ReadFile("tables/" + name + ".txt")
		if err != nil {
			panic(err)
		}
		t, err := newTable(string(text))
		if err != nil {
			panic("tables/" + name + ".txt: " + err.Error())
		}
		return t
	})
}
