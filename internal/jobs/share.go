package jobs

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	every    = 10 * time.Millisecond  // how often it is looked at who needs slots
	shortest = 20 * time.Millisecond  // after which slots that nobody has a use for are given back
	longest  = 640 * time.Millisecond // before more are taken in case that what runs needs them
)

// Patience is how long a build waits for its first slot. Then it runs one job beside those of the others: who has the
// slots may be stopped, or wait for this very build.
const Patience = 10 * time.Second

// share takes slots from the source and gives them back, by what this pool and the others need.
func (p *Pool) share() {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-p.look:
		case <-tick.C:
		case <-p.done:
			return
		}
		p.mu.Lock()
		if !p.closed {
			p.balance(time.Now())
		}
		p.mu.Unlock()
	}
}

// balance does so once. Who knows the pool by its pipe does not say what it needs: where all slots are taken, it may
// need more, and where some are free, it does not.
func (p *Pool) balance(now time.Time) {
	free, lent := p.free(), p.have-p.alone
	if p.held == 0 && len(p.waiting) == 0 {
		p.owed, p.idle, p.empty = 0, time.Time{}, time.Time{}
		p.giveBack(min(free, lent))
		p.tell(nothing)
		return
	}
	if free == 0 && !p.idle.IsZero() {
		p.wait, p.idle = shortest, time.Time{} // they were of use
	}
	part, others := p.from.others()
	part = max(0, min(part, p.n)-p.base)
	wanted := p.have < p.n && free == 0 && (len(p.waiting) > 0 || now.After(p.again))
	switch {
	case wanted && p.have == 0:
		p.tell(none)
	case wanted && lent < part:
		p.tell(lacks)
	case wanted:
		p.tell(more)
	default:
		p.tell(enough)
	}
	p.owed = 0
	if others >= lacks {
		p.owed = max(0, lent-part)
	}
	if others == none {
		p.owed = max(p.owed, min(1, lent)) // where there are more builds than slots, they take turns
	}
	switch {
	case others < more:
		p.idle = time.Time{}
		p.lend(p.n)
	case free > 0 && p.idle.IsZero():
		p.idle = now
	case free > 0 && now.Sub(p.idle) >= shortest:
		p.giveBack(min(free, lent))
		p.wait = min(2*p.wait, longest)
		p.again, p.idle = now.Add(p.wait), time.Time{}
	case wanted && (others < lacks || lent < part):
		p.lend(max(1, p.have, len(p.waiting)))
	}
	if p.owed > 0 {
		p.changed.Signal()
	}
	switch {
	case p.have > 0:
		p.empty = time.Time{}
	case p.empty.IsZero():
		p.empty = now
	case now.Sub(p.empty) >= Patience:
		p.have, p.alone = 1, 1
		p.add(1)
	}
}

func (p *Pool) tell(mine need) {
	if mine != p.told {
		p.from.tell(mine)
		p.told = mine
	}
}

// lend takes so many slots from the source, or those that it has.
func (p *Pool) lend(most int) {
	n := 0
	for ; most > 0 && p.have < p.n && p.from.take(); most-- {
		if p.alone > p.base {
			p.alone-- // one was beside those of the others
			continue
		}
		p.have++
		n++
	}
	p.add(n)
}

// giveBack gives so many free slots to the source.
func (p *Pool) giveBack(n int) {
	for ; n > 0 && p.one(); n-- {
		p.back(1)
	}
}

// free is the number of slots that nobody has.
func (p *Pool) free() int {
	if p.path == "" {
		return len(p.own)
	}
	n, err := unix.IoctlGetInt(p.raw, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}
