package main

import (
	"fmt"
	"testing"

	"github.com/hwprofd/hwprofd/lut"
	"github.com/hwprofd/hwprofd/nas/space"
)

// TestNetworksAgain wants some of each space's networks in the table, no more than
// a part of what is evaluated, and none that is no network of a space of today.
func TestNetworksAgain(t *testing.T) {
	table := &lut.Table{}
	for _, name := range []string{"mobile28", "fbnet"} {
		s, err := space.Published(name)
		if err != nil {
			t.Fatal(err)
		}
		drawn, err := drawDistinct(s, 3, streamFit, 20, map[string]bool{})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range drawn {
			table.Networks = append(table.Networks, lut.Network{Name: networkName(s, a), Use: "fit"})
		}
	}
	for i, name := range []string{"mobile28:99.1", "nowhere:0.1", "models/resnet.onnx"} {
		table.Networks = append(table.Networks, lut.Network{Name: name, Use: "calibrate", Samples: int64(i)})
	}
	for others, each := range map[int]int{300: againEach, 48: 4, 11: 0} {
		again, err := networksAgain(table, 5, others)
		if err != nil {
			t.Fatal(err)
		}
		count, seen := map[string]int{}, map[string]bool{}
		for _, n := range again {
			count[networkFamily(n.Name)]++
			if seen[n.Name] {
				t.Errorf("%s is measured twice", n.Name)
			}
			seen[n.Name] = true
			if _, err := n.Lower(); err != nil {
				t.Error(err)
			}
		}
		if fmt.Sprint(count["mobile28"], count["fbnet"], len(count)) != fmt.Sprint(each, each, min(2*each, 2)) {
			t.Errorf("with %d others %v are measured again, want %d of each space", others, count, each)
		}
		twice, err := networksAgain(table, 5, others)
		if err != nil {
			t.Fatal(err)
		}
		for i := range again {
			if again[i].Name != twice[i].Name {
				t.Error("the same seed draws other networks")
			}
		}
	}
}
