package main

import (
	"time"

	"github.com/hwprofd/hwprofd/graph"
	"github.com/hwprofd/hwprofd/nas"
)

// Of the time to profile, this part goes to workloads, and about that much
// each needs on a machine that is not too noisy.
const (
	workloadShare = 0.6
	workloadTime  = 70 * time.Millisecond
)

// Of the time to profile, this part goes to whole networks where there are
// several spaces, or --cover chooses the workloads: a network tells of all its
// workloads at once. Each space has at least so many to fit and to calibrate on,
// and at most mostNetworks of both.
const (
	networkShare   = 0.6
	fitShare       = 0.6 // of them
	leastFit       = 4
	leastCalibrate = 6
	mostNetworks   = 150
)

// networksEach is how many networks of each space are measured to fit and to
// calibrate a predictor on.
func networksEach(spaces int, cover bool, budget time.Duration) (fit, calibrate int) {
	if spaces == 1 && !cover {
		return fitNetworks, calibrateNetworks
	}
	each := min(mostNetworks, int(networkShare*float64(budget)/float64(coverTime))/max(spaces, 1))
	fit = max(leastFit, int(fitShare*float64(each)))
	return fit, max(leastCalibrate, each-fit)
}

// spaceWorkloads are the workloads of spaces to measure within a budget beside
// those that are given. Spaces take turns, each with those that matter most to
// it; what is given leaves them half of the budget at least.
func spaceWorkloads(spaces []nas.Space, seed uint64, budget time.Duration, given []graph.Workload, fusing ...graph.Option) ([]graph.Workload, error) {
	most := int(workloadShare * float64(budget) / float64(workloadTime))
	ranked := make([][]graph.Workload, len(spaces))
	for i, s := range spaces {
		var err error
		if ranked[i], err = coverSpace(s, seed, most, fusing...); err != nil {
			return nil, err
		}
	}
	return takeTurns(ranked, most, given), nil
}

// takeTurns picks at most most workloads of ranked lists, less those that are
// given, but half of that at least.
func takeTurns(ranked [][]graph.Workload, most int, given []graph.Workload) []graph.Workload {
	seen := map[graph.Workload]bool{}
	for _, w := range given {
		seen[w] = true
	}
	most -= min(len(seen), most/2)
	var picked []graph.Workload
	for left := true; left; {
		left = false
		for i := range ranked {
			for len(ranked[i]) > 0 && seen[ranked[i][0]] {
				ranked[i] = ranked[i][1:]
			}
			if len(ranked[i]) == 0 || len(picked) == most {
				continue
			}
			left = true
			w := ranked[i][0]
			seen[w] = true
			picked = append(picked, w)
		}
	}
	return picked
}
