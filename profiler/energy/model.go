// Package energy finds out how much energy an operator uses: from a meter
// where the machine has one that can be read, else from a model of the
// operator's activity. A modelled figure ranks operators and networks by
// energy; it is not what a wattmeter would show, and whoever stores it marks
// it with [ModelSource].
package energy

// ModelSource marks a figure that [Model] made.
const ModelSource = "modelled"

// Coefficients of [Model] for a general-purpose core in a 7 nm process.
//
// Arithmetic and memory are the 7 nm column of Jouppi et al., "Ten Lessons
// From Three Generations Shaped Google's TPUv4i" (ISCA 2021), Table 2, which
// scales the 45 nm figures of Horowitz, "Computing's Energy Problem" (ISSCC
// 2014), Figure 1.1.9: FP32 multiply 1.31 pJ, FP32 add 0.38 pJ, 8 bytes from a
// 1 MB SRAM 14 pJ. A core's cost to fetch, decode and schedule an instruction,
// 70 pJ in Horowitz, is scaled by the 2.6 that is the geometric mean of the
// same table and shared by the 8 lanes of a 256-bit vector. The constant
// power, 2 W for one busy core with its share of leakage and clock, is an
// assumption.
const (
	PicojoulePerMAC  = 1.31 + 0.38 + 70/2.6/8
	PicojoulePerByte = 14.0 / 8
	StaticWatt       = 2.0
)

// Model returns the energy in mJ of an operator that does macs
// multiply-accumulates, moves bytes to and from memory, and takes latency ns.
func Model(macs, bytes int64, latency float64) float64 {
	const perPicojoule = 1e-9 // mJ
	return (float64(macs)*PicojoulePerMAC+float64(bytes)*PicojoulePerByte)*perPicojoule +
		StaticWatt*latency*1e-6
}
