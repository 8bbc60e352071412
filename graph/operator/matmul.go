package operator

import (
	"fmt"
	"math"
	"slices"
)

func init() {
	define("MatMul", definition{least: 2, most: 2, outputs: 1, infer: inferMatMul, run: runMatMul})
	define("Gemm", definition{least: 2, most: 3, outputs: 1, infer: inferGemm, run: runGemm})
	define("Det", definition{least: 1, most: 1, outputs: 1, infer: inferDet, run: runDet})
}

// matrices are the shapes of MatMul's inputs, a vector made a row or column.
func (c *Call) matrices() (a, b []int, err error) {
	a, b = c.In[0].Shape, c.In[1].Shape
	if len(a) == 0 || len(b) == 0 {
		return nil, nil, fmt.Errorf("inputs are of shapes %v and %v, want at least one dimension", a, b)
	}
	if len(a) == 1 {
		a = []int{1, a[0]}
	}
	if len(b) == 1 {
		b = []int{b[0], 1}
	}
	if a[len(a)-1] != b[len(b)-2] {
		return nil, nil, fmt.Errorf("matrices of shapes %v and %v do not multiply", c.In[0].Shape, c.In[1].Shape)
	}
	return a, b, nil
}

func inferMatMul(c *Call) ([]Type, error) {
	a, b, err := c.matrices()
	if err := firstError(err, c.wantNumbers(0, 1)); err != nil {
		return nil, err
	}
	shape, err := broadcast(a[:len(a)-2], b[:len(b)-2])
	if err != nil {
		return nil, err
	}
	if len(c.In[0].Shape) > 1 {
		shape = append(shape, a[len(a)-2])
	}
	if len(c.In[1].Shape) > 1 {
		shape = append(shape, b[len(b)-1])
	}
	return []Type{{c.In[0].DType, shape}}, nil
}

func runMatMul(c *Call, out []*Tensor) error {
	a, b, err := c.matrices()
	if err != nil {
		return err
	}
	m, k, n := a[len(a)-2], a[len(a)-1], b[len(b)-1]
	batch, err := broadcast(a[:len(a)-2], b[:len(b)-2])
	if err != nil {
		return err
	}
	w := elementwise(batch, a[:len(a)-2], b[:len(b)-2])
	numericOf(c.In[0].DType).matrixProduct(out[0].Data, c.In[0].Data, c.In[1].Data, w, m, k, n, [2]int{k, 1}, [2]int{n, 1})
	return nil
}

// matrixProduct multiplies matrices that a walk gives the numbers of; sa and sb
// are the distances of neighbours in a column and a row.
func (numbers[T]) matrixProduct(to, a, b any, w *walk, m, k, n int, sa, sb [2]int) {
	if isFloat[T]() {
		multiply[float64](to.([]T), a.([]T), b.([]T), w, m, k, n, sa, sb)
	} else {
		multiply[T](to.([]T), a.([]T), b.([]T), w, m, k, n, sa, sb)
	}
}

func multiply[A, T number](to, a, b []T, w *walk, m, k, n int, sa, sb [2]int) {
	if w.empty {
		return
	}
	row := make([]A, n)
	s, t := w.step(1), w.step(2)
	w.rows(func(count int, at []int) {
		for r := range count {
			y, p, q := to[(at[0]+r)*m*n:], (at[1]+r*s)*m*k, (at[2]+r*t)*k*n
			for i := range m {
				clear(row)
				for l := range k {
					v, from := A(a[p+i*sa[0]+l*sa[1]]), q+l*sb[0]
					if sb[1] == 1 {
						for j, e := range b[from : from+n] {
							row[j] += v * A(e)
						}
						continue
					}
					for j := range row {
						row[j] += v * A(b[from])
						from += sb[1]
					}
				}
				for j, v := range row {
					y[i*n+j] = T(v)
				}
			}
		}
	})
}

// gemm is the attributes of Gemm, and the sizes of its product.
type gemm struct {
	alpha, beta    float32
	transA, transB bool
	m, k, n        int
}

func (c *Call) gemm() (*gemm, error) {
	alpha, err := c.Attributes.Float("alpha", 1)
	beta, err2 := c.Attributes.Float("beta", 1)
	transA, err3 := c.Attributes.Int("transA", 0)
	transB, err4 := c.Attributes.Int("transB", 0)
	err = firstError(err, err2, err3, err4, c.wantNumbers(0, 1, 2), c.wantRank(0, 2, 2), c.wantRank(1, 2, 2))
	if err != nil {
		return nil, err
	}
	a, b := slices.Clone(c.In[0].Shape), slices.Clone(c.In[1].Shape)
	if transA != 0 {
		slices.Reverse(a)
	}
	if transB != 0 {
		slices.Reverse(b)
	}
	if a[1] != b[0] {
		return nil, fmt.Errorf("matrices of shapes %v and %v do not multiply", a, b)
	}
	g := &gemm{alpha, beta, transA != 0, transB != 0, a[0], a[1], b[1]}
	if c.has(2) {
		shape, err := broadcast(c.In[2].Shape, []int{g.m, g.n})
		if err != nil || !slices.Equal(shape, []int{g.m, g.n}) {
			return nil, fmt.Errorf("input 2 of shape %v does not broadcast to %d by %d", c.In[2].Shape, g.m, g.n)
		}
	}
	return g, nil
}

func inferGemm(c *Call) ([]Type, error) {
	g, err := c.gemm()
	if err != nil {
		return nil, err
	}
	return []Type{{c.In[0].DType, []int{g.m, g.n}}}, nil
}

func runGemm(c *Call, out []*Tensor) error {
	g, err := c.gemm()
	if err != nil {
		return err
	}
	sa, sb := [2]int{g.k, 1}, [2]int{g.n, 1}
	if g.transA {
		sa = [2]int{1, g.m}
	}
	if g.transB {
		sb = [2]int{1, g.k}
	}
	y, number := out[0], numericOf(c.In[0].DType)
	number.matrixProduct(y.Data, c.In[0].Data, c.In[1].Data, newWalk(nil, nil, nil, nil), g.m, g.k, g.n, sa, sb)
	var addend any
	w := elementwise(y.Shape, y.Shape)
	if t := c.input(2); t != nil {
		addend = t.Data
		w = elementwise(y.Shape, t.Shape)
	}
	number.scaledSum(y.Data, addend, w, float64(g.alpha), float64(g.beta))
	return nil
}

// scaledSum makes to alpha times itself and beta times c, where that is given.
func (numbers[T]) scaledSum(to, c any, w *walk, alpha, beta float64) {
	y := to.([]T)
	if alpha != 1 {
		for i, v := range y {
			y[i] = T(alpha * float64(v))
		}
	}
	x, ok := c.([]T)
	if !ok || w.empty {
		return
	}
	s := w.step(1)
	w.rows(func(n int, at []int) {
		i := at[1]
		for k := range n {
			v := x[i]
			if beta != 1 {
				v = T(beta * float64(v))
			}
			y[at[0]+k] += v
			i += s
		}
	})
}

func inferDet(c *Call) ([]Type, error) {
	s := c.In[0].Shape
	if err := firstError(c.wantFloat(0), c.wantRank(0, 2, max(2, len(s)))); err != nil {
		return nil, err
	}
	if s[len(s)-1] != s[len(s)-2] {
		return nil, fmt.Errorf("input of shape %v is not of square matrices", s)
	}
	return []Type{{c.In[0].DType, slices.Clone(s[:len(s)-2])}}, nil
}

func runDet(c *Call, out []*Tensor) error {
	s := c.In[0].Shape
	n := s[len(s)-1]
	y := make([]float64, Elements(out[0].Shape))
	x := slices.Clone(float64s(c.In[0]))
	for i := range y {
		y[i] = determinant(x[i*n*n:][:n*n], n)
	}
	setFloat64s(out[0], y)
	return nil
}

// determinant eliminates in place, with the largest pivot of each column.
func determinant(a []float64, n int) float64 {
	det := 1.0
	for i := range n {
		pivot := i
		for r := i + 1; r < n; r++ {
			if math.Abs(a[r*n+i]) > math.Abs(a[pivot*n+i]) {
				pivot = r
			}
		}
		if pivot != i {
			det = -det
			for j := range n {
				a[i*n+j], a[pivot*n+j] = a[pivot*n+j], a[i*n+j]
			}
		}
		d := a[i*n+i]
		det *= d
		if d == 0 {
			return 0
		}
		for r := i + 1; r < n; r++ {
			f := a[r*n+i] / d
			for j := i; j < n; j++ {
				a[r*n+j] -= f * a[i*n+j]
			}
		}
	}
	return det
}
