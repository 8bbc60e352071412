package profiler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hwprofd/hwprofd/lut"
)

const (
	// An item's time is divided among so many visits at least, where it suffices,
	usualVisits = 8
	// each of so long but for loading, so that more time is more visits: loads of
	// an item differ by more than the noise of so short a one,
	shortestVisit = 6 * time.Millisecond
	longestVisit  = 12 * time.Millisecond
	// or so many times what loading took, where that is more.
	loadCost = 1
)

// keeper takes what visits find.
type keeper interface {
	visited(*item, found) error
	finished(*item) error
	failed(it *item, reason error) error
}

// visitAll visits items in rounds, each in another order, until all have
// intervals as narrow as asked or the time is over: at until if that is not 0,
// and, where it is or each is set, with MaxPerItem for each. Each is
// visited once at least. In a last round for which the time does not suffice,
// those of which least is known come first.
func (p *Profiler) visitAll(ctx context.Context, items []*item, until time.Duration, each bool, keep keeper) error {
	random := rand.New(rand.NewPCG(p.options.Seed, 2))
	each = each || until == 0
	begin, total := p.sampler.now(), len(items)
	for len(items) > 0 {
		random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		if until > 0 && until-p.sampler.now() < roundCost(items) {
			p.neediestFirst(items)
		}
		var rest []*item
		for i, it := range items {
			now := p.sampler.now()
			count := len(items) - i + len(rest)
			share := p.options.MaxPerItem - it.spent
			if until > 0 {
				left := (until - now) / time.Duration(count)
				if !each || left < share {
					share = left
				}
			}
			p.reportShare(now-begin, until-begin, total, count, items[i:], rest, it.name)
			if len(it.visits) > 0 && share <= 0 {
				if err := keep.finished(it); err != nil {
					return err
				}
				continue
			}
			timing := share
			p.metering.limit = p.options.MaxEnergyPerItem
			if until > 0 && it.extra == nil {
				timing = p.timingShare(share)
				p.metering.limit = max(min(p.metering.limit, share-timing), 0)
			}
			it.share = timing
			f, err := p.visit(ctx, it, visitTime(it, timing))
			switch {
			case errors.As(err, new(itemError)):
				if len(it.visits) > 0 { // what was measured before stands
					err = keep.finished(it)
				} else {
					err = keep.failed(it, err)
				}
				if err != nil {
					return err
				}
				continue
			case err != nil:
				return fmt.Errorf("profiler: %s: %w", it.title(), err)
			}
			if err := keep.visited(it, f); err != nil {
				return err
			}
			if p.look(it); it.stable {
				if err := keep.finished(it); err != nil {
					return err
				}
				continue
			}
			rest = append(rest, it)
		}
		items = rest
	}
	p.progress(total, total, "", 0)
	return nil
}

// visitTime is how long a visit is after loading, of an item that has so much
// time left in all.
func visitTime(it *item, share time.Duration) time.Duration {
	visits := max(usualVisits-len(it.visits), 1)
	took := min(max(share/time.Duration(visits)-it.loading, shortestVisit), longestVisit)
	took = max(took, loadCost*it.loading)
	return max(min(took, share-it.loading), 0)
}

// roundCost is about how long a visit to each of items takes.
func roundCost(items []*item) (sum time.Duration) {
	for _, it := range items {
		sum += it.spent / time.Duration(max(len(it.visits), 1))
	}
	return sum
}

// look sees whether the interval of an item is as narrow as asked. It is
// believed when two looks say so, the second at half as many visits again: one
// look would often find it narrow by chance.
func (p *Profiler) look(it *item) {
	n := len(it.visits)
	if n < max(it.check, minVisits) {
		return
	}
	m := p.sampler.combine(it.visits, it.kind)
	narrow := m.Stable && m.Corrected.width() < p.options.RelativeCI
	it.stable = narrow && it.narrow
	it.narrow = narrow
	it.check = n + max(2, n/2)
}

// neediestFirst sorts items by how little is known of them: those with too few
// quiet visits by their number, then the others by the width of their interval.
func (p *Profiler) neediestFirst(items []*item) {
	type need struct {
		quiet int
		width float64
	}
	needs := make(map[*item]need, len(items))
	for _, it := range items {
		n := need{}
		for _, v := range it.visits {
			if p.sampler.quietVisit(v) {
				n.quiet++
			}
		}
		if n.quiet = min(n.quiet, minVisits); n.quiet == minVisits {
			n.width = p.sampler.combine(it.visits, it.kind).Corrected.width()
		}
		needs[it] = n
	}
	slices.SortStableFunc(items, func(a, b *item) int {
		return cmp.Or(cmp.Compare(needs[a].quiet, needs[b].quiet), cmp.Compare(needs[b].width, needs[a].width))
	})
}

// reportShare reports how far visits to total items are: as a number of items,
// of which those not finished count by the part of the time that is over.
func (p *Profiler) reportShare(gone, all time.Duration, total, count int, ahead, behind []*item, current string) {
	if p.options.Progress == nil {
		return
	}
	left, over := time.Duration(0), float64(total-count)
	if all > 0 {
		left = max(all-gone, 0)
		over += float64(count) * min(float64(gone)/float64(all), 1)
	} else {
		for _, list := range [][]*item{ahead, behind} {
			for _, it := range list {
				spent := min(it.spent, p.options.MaxPerItem)
				left += p.options.MaxPerItem - spent
				over += float64(spent) / float64(p.options.MaxPerItem)
			}
		}
	}
	p.progress(min(int(over), total), total, current, left)
}

func (p *Profiler) progress(done, total int, current string, left time.Duration) {
	if p.options.Progress != nil {
		p.options.Progress(done, total, current, left)
	}
}

// journalKeeper keeps everything in a journal.
type journalKeeper struct {
	p       *Profiler
	journal *lut.Journal
}

func (k journalKeeper) visited(it *item, f found) error {
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	name := it.name
	if !it.isNetwork() {
		name = it.workload.String()
	}
	return k.journal.AppendVisit(lut.Visit{Name: name, Cache: it.cache, Algorithm: it.algorithm, Network: it.isNetwork(), Found: data})
}

func (k journalKeeper) finished(it *item) error {
	if it.isNetwork() {
		return k.journal.AppendNetwork(k.p.networkRow(it))
	}
	return k.journal.AppendRow(k.p.row(it))
}

func (k journalKeeper) failed(it *item, reason error) error {
	f := lut.Failure{Name: it.name, Network: it.isNetwork()}
	if !f.Network {
		f.Name, f.Cache, f.Algorithm = it.workload.String(), it.cache, it.algorithm
	}
	f.Reason = k.p.failed(f.Name, it.name, reason)
	return k.journal.AppendFailure(f)
}

// unsureKeeper keeps everything in a journal but that items are finished which are
// not stable: there may be time for them later.
type unsureKeeper struct {
	journalKeeper
	unsure []*item
}

func (k *unsureKeeper) finished(it *item) error {
	if !it.stable {
		k.unsure = append(k.unsure, it)
		return nil
	}
	return k.journalKeeper.finished(it)
}

// discard keeps nothing: of a single item, what it found is in the item.
type discard struct{}

func (discard) visited(*item, found) error { return nil }
func (discard) finished(*item) error       { return nil }
func (discard) failed(it *item, reason error) error {
	return fmt.Errorf("profiler: %s: %w", it.title(), reason)
}
