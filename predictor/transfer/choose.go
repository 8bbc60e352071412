package transfer

import "math/rand/v2"

func (p *Prior) choose(items, k int, rng *rand.Rand) []int {
	return rng.Perm(items)[:k]
}
