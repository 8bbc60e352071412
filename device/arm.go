package device

import "fmt"

// armVendors and armParts name the values of MIDR_EL1 (Arm Architecture
// Reference Manual, D19.2.122), after the table of util-linux's lscpu-arm.c.
var armVendors = map[int]string{
	0x41: "ARM", 0x42: "Broadcom", 0x43: "Cavium", 0x46: "Fujitsu", 0x48: "HiSilicon",
	0x4e: "NVIDIA", 0x50: "APM", 0x51: "Qualcomm", 0x53: "Samsung", 0x61: "Apple",
	0x6d: "Microsoft", 0x70: "Phytium", 0xc0: "Ampere",
}

var armParts = map[[2]int]string{
	{0x41, 0xc07}: "Cortex-A7", {0x41, 0xc08}: "Cortex-A8", {0x41, 0xc09}: "Cortex-A9",
	{0x41, 0xc0d}: "Cortex-A17", {0x41, 0xc0f}: "Cortex-A15",
	{0x41, 0xd01}: "Cortex-A32", {0x41, 0xd03}: "Cortex-A53", {0x41, 0xd04}: "Cortex-A35",
	{0x41, 0xd05}: "Cortex-A55", {0x41, 0xd07}: "Cortex-A57", {0x41, 0xd08}: "Cortex-A72",
	{0x41, 0xd09}: "Cortex-A73", {0x41, 0xd0a}: "Cortex-A75", {0x41, 0xd0b}: "Cortex-A76",
	{0x41, 0xd0c}: "Neoverse-N1", {0x41, 0xd0d}: "Cortex-A77", {0x41, 0xd0e}: "Cortex-A76AE",
	{0x41, 0xd40}: "Neoverse-V1", {0x41, 0xd41}: "Cortex-A78", {0x41, 0xd42}: "Cortex-A78AE",
	{0x41, 0xd44}: "Cortex-X1", {0x41, 0xd46}: "Cortex-A510", {0x41, 0xd47}: "Cortex-A710",
	{0x41, 0xd48}: "Cortex-X2", {0x41, 0xd49}: "Neoverse-N2", {0x41, 0xd4a}: "Neoverse-E1",
	{0x41, 0xd4b}: "Cortex-A78C", {0x41, 0xd4d}: "Cortex-A715", {0x41, 0xd4e}: "Cortex-X3",
	{0x41, 0xd4f}: "Neoverse-V2", {0x41, 0xd80}: "Cortex-A520", {0x41, 0xd81}: "Cortex-A720",
	{0x41, 0xd82}: "Cortex-X4", {0x41, 0xd84}: "Neoverse-V3", {0x41, 0xd8e}: "Neoverse-N3",
	{0x43, 0x0af}: "ThunderX2", {0x46, 0x001}: "A64FX", {0x48, 0xd01}: "TaiShan-v110",
	{0x4e, 0x003}: "Denver 2", {0x4e, 0x004}: "Carmel",
	{0x51, 0x001}: "Oryon", {0x51, 0x800}: "Kryo-2xx-Gold", {0x51, 0x801}: "Kryo-2xx-Silver",
	{0x51, 0x802}: "Kryo-3xx-Gold", {0x51, 0x803}: "Kryo-3xx-Silver",
	{0x51, 0x804}: "Kryo-4xx-Gold", {0x51, 0x805}: "Kryo-4xx-Silver",
	{0x61, 0x022}: "Icestorm (M1)", {0x61, 0x023}: "Firestorm (M1)",
	{0x61, 0x032}: "Blizzard (M2)", {0x61, 0x033}: "Avalanche (M2)",
	{0xc0, 0xac3}: "Ampere-1", {0xc0, 0xac4}: "Ampere-1a",
}

// armNames returns the vendor and model of an ARM core; a code that is not in
// the tables stands for itself.
func armNames(implementer, part int) (vendor, model string) {
	vendor, ok := armVendors[implementer]
	if !ok {
		vendor = fmt.Sprintf("0x%02x", implementer)
	}
	model, ok = armParts[[2]int{implementer, part}]
	if !ok {
		model = fmt.Sprintf("part 0x%03x", part)
	}
	return vendor, model
}
