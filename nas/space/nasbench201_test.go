package space

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hwprofd/hwprofd/nas"
)

func TestParseNASBench201(t *testing.T) {
	s, err := NewNASBench201(3, 10)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		want := make(nas.Architecture, 6)
		var names [6]string
		for i, d := range s.Decisions() {
			want[i] = rapid.IntRange(0, 4).Draw(t, d.Name)
			names[i] = d.Choices[want[i]]
		}
		// As the benchmark prints it.
		text := fmt.Sprintf("|%s~0|+|%s~0|%s~1|+|%s~0|%s~1|%s~2|", names[0], names[1], names[2], names[3], names[4], names[5])
		got, err := ParseNASBench201(text)
		if err != nil || !cmp.Equal(got, want) {
			t.Fatalf("%s is %v, %v; want %v", text, got, err, want)
		}
		cut := rapid.IntRange(0, len(text)-1).Draw(t, "cut")
		if got, err := ParseNASBench201(text[:cut] + text[cut+1:]); err == nil {
			t.Fatalf("%s without its sign %d is %v", text, cut, got)
		}
	})
	for _, wrong := range []string{"", "|", "+", "||+|||+||||", "|none~0|+|none~0|none~0|+|none~0|none~1|none~2|", "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|+"} {
		if got, err := ParseNASBench201(wrong); err == nil {
			t.Errorf("%q is %v", wrong, got)
		}
	}
}
