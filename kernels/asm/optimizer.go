package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// optimizer writes the steps of optimisers: see optimizerKernels in package
// kernels.
func optimizer() {
	for _, set := range vectorSets {
		r := &row{vectors: set}
		x, y, z, t := r.v(0), r.v(1), r.v(2), r.v(3)
		k := func(i int) reg.VecPhysical { return r.v(4 + i) }
		step := func(name string, names []string, constants int, body func()) {
			signature := "func("
			for _, n := range names {
				signature += n + ", "
			}
			text(name+set.name, signature+"k *float32, n int)", fmt.Sprintf("%s%s is %sPortable.", name, set.name, name))
			for i, n := range names {
				Load(Param(n), operands[i].(reg.GPPhysical))
			}
			Load(Param("k"), reg.R8)
			Load(Param("n"), length)
			r.tails()
			for i := range constants {
				VBROADCASTSS(operand.Mem{Base: reg.R8, Disp: 4 * i}, k(i))
			}
			r.loop(body)
			VZEROUPPER()
			RET()
		}
		step("momentumStep", []string{"w", "grad", "v"}, 7, func() {
			r.load(0, x)
			r.load(1, y)
			r.load(2, z)
			VMULPS(k(0), y, y)
			VFMADD231PS(x, k(1), y) // the gradient with decay
			VMULPS(k(2), z, z)
			VFMADD231PS(y, k(3), z)
			r.store(z, 2)
			VMULPS(k(4), y, y)
			VFMADD231PS(z, k(5), y)
			VFMADD231PS(y, k(6), x)
			r.store(x, 0)
		})
		step("adamStep", []string{"w", "grad", "m", "v"}, 9, func() {
			r.load(1, y)
			r.load(2, z)
			VMULPS(k(0), y, y)
			VMULPS(k(2), z, z)
			VFMADD231PS(y, k(3), z)
			r.store(z, 2)
			r.load(3, t)
			VMULPS(y, y, y)
			VMULPS(k(4), t, t)
			VFMADD231PS(y, k(5), t)
			r.store(t, 3)
			VSQRTPS(t, t)
			VFMADD213PS(k(7), k(6), t)
			VDIVPS(t, z, z)
			r.load(0, x)
			VMULPS(k(1), x, x)
			VFMADD231PS(z, k(8), x)
			r.store(x, 0)
		})
	}
}
