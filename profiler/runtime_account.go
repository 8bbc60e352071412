package profiler

import (
	"context"
	"errors"
	"time"
)

// accountTime is about how long a runtime's own account is taken over.
const accountTime = 5 * time.Millisecond

// account keeps what another runtime says of what it has loaded, whose runs take
// ns each: the number of nodes that do what the model asks for, and the part of
// ns that goes to the others, which change the layout of tensors or are borders.
// Alone, a workload has those of its inputs and outputs to itself; in a network
// most of them are not there. Of a runtime that gives no account nothing is kept.
//
// By its own account a run takes longer, as the account takes time too, of each
// node about the same: only the shares of what is beyond it are used. The time of
// a run that does nothing has no share.
func (p *Profiler) account(ctx context.Context, x *extra, s Session, ns float64) error {
	const fewest, most = 3, 200
	if p.own() {
		return nil
	}
	times, err := s.Nodes(ctx, int(min(max(float64(accountTime)/ns, fewest), most)))
	if errors.Is(err, ErrNoNodeTimes) {
		return nil
	}
	if err != nil {
		return err
	}
	cost := accountCost(times, ns-p.nothingNS)
	var count, all, layout float64
	for _, node := range times {
		took := node.without(cost)
		all += took
		if node.Layout || isBorder(node) {
			layout += took
		} else {
			count++
		}
	}
	var share float64
	if all > 0 {
		share = layout / all * max(1-p.nothingNS/ns, 0)
	}
	x.RuntimeNodes, x.BorderShare = &count, &share
	return nil
}
