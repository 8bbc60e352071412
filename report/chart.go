package report

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"math"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// chart is a plot in two sizes, of which the style sheet shows the one that
// fits the screen. Its zero value shows nothing.
type chart struct{ Wide, Narrow template.HTML }

// layout is one of the two sizes.
type layout struct {
	width, height float64 // points, shown as so many CSS pixels
	text          float64 // size of the labels
	mark          float64 // radius of a point
	narrow        bool
}

// Colours stand for variables of the style sheet, so that the charts follow
// the light and the dark theme.
var (
	ink    = color.RGBA{1, 1, 1, 255}
	muted  = color.RGBA{2, 2, 2, 255}
	faint  = color.RGBA{3, 3, 3, 255}
	accent = color.RGBA{4, 4, 4, 255}
	second = color.RGBA{5, 5, 5, 255}
	third  = color.RGBA{6, 6, 6, 255}
	cloud  = color.RGBA{7, 7, 7, 255}
)

var themed = func() *strings.Replacer {
	var pairs []string
	for name, c := range map[string]color.RGBA{"ink": ink, "muted": muted, "faint": faint, "accent": accent, "second": second, "third": third, "cloud": cloud} {
		pairs = append(pairs, fmt.Sprintf("#%02X%02X%02X", c.R, c.G, c.B), "var(--"+name+")")
	}
	return strings.NewReplacer(pairs...)
}()

var (
	fontFamily = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;`)
	svgSize    = regexp.MustCompile(`<svg width="[^"]*" height="[^"]*"`)
)

// drawChart draws a plot in both sizes. description is read to those who do not see it.
func drawChart(description string, wideHeight, narrowHeight float64, make func(layout) (*plot.Plot, error)) (chart, error) {
	var c chart
	for _, v := range []struct {
		layout layout
		into   *template.HTML
	}{
		{layout{width: 880, height: wideHeight, text: 13, mark: 3}, &c.Wide},
		{layout{width: 350, height: narrowHeight, text: 11, mark: 2.4, narrow: true}, &c.Narrow},
	} {
		p, err := make(v.layout)
		if err != nil {
			return chart{}, err
		}
		canvas := vgsvg.New(vg.Length(v.layout.width), vg.Length(v.layout.height))
		p.Draw(draw.New(canvas))
		var b bytes.Buffer
		if _, err := canvas.WriteTo(&b); err != nil {
			return chart{}, err
		}
		svg := b.String()
		svg = svg[strings.Index(svg, "<svg"):]
		svg = svgSize.ReplaceAllString(svg, `<svg role="img" aria-label="`+template.HTMLEscapeString(description)+`"`)
		*v.into = template.HTML(themed.Replace(fontFamily.ReplaceAllString(svg, "")))
	}
	return c, nil
}

// newPlot returns an empty plot in the report's style.
func newPlot(l layout, x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color = muted
		axis.LineStyle.Width = 0
		axis.Tick.LineStyle.Width = 0
		axis.Tick.Length = 2
		axis.Padding = 4
		axis.Label.TextStyle.Font = sans(l.text)
		axis.Label.TextStyle.Color = muted
		axis.Label.Padding = 4
		axis.Tick.Label.Font = sans(l.text)
		axis.Tick.Label.Color = muted
		axis.Tick.Marker = plot.TickerFunc(roundTicks)
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	grid := plotter.NewGrid()
	for _, style := range []*draw.LineStyle{&grid.Horizontal, &grid.Vertical} {
		style.Color, style.Width, style.Dashes = faint, 0.8, nil
	}
	p.Add(grid)
	return p
}

// roundTicks returns four to eleven ticks at multiples of 1, 2 or 5 times a
// power of ten; gonum's own ticks may be as few as two.
func roundTicks(least, most float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((most-least)/4)))
	for _, m := range []float64{5, 2} {
		if (most-least)/(m*step) >= 4 {
			step *= m
			break
		}
	}
	digits := max(0, -int(math.Floor(math.Log10(step))))
	var ticks []plot.Tick
	for i := math.Ceil(least/step-1e-9) + 0; i*step <= most+1e-9*step; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'f', digits, 64)})
	}
	return ticks
}

func sans(points float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: font.Length(points)}
}

// scatter adds points.
func scatter(p *plot.Plot, xy plotter.XYs, c color.Color, radius float64, shape draw.GlyphDrawer) error {
	if len(xy) == 0 {
		return nil
	}
	s, err := plotter.NewScatter(xy)
	if err != nil {
		return err
	}
	s.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Length(radius), Shape: shape}
	p.Add(s)
	return nil
}

// line adds a line, dashed where dash is above 0.
func line(p *plot.Plot, xy plotter.XYs, c color.Color, width, dash float64) error {
	if len(xy) == 0 {
		return nil
	}
	l, err := plotter.NewLine(xy)
	if err != nil {
		return err
	}
	l.LineStyle = draw.LineStyle{Color: c, Width: vg.Length(width)}
	if dash > 0 {
		l.LineStyle.Dashes = []vg.Length{vg.Length(dash), vg.Length(dash)}
	}
	p.Add(l)
	return nil
}

// labels adds texts beside points; offset is in points.
func labels(p *plot.Plot, xy plotter.XYs, texts []string, c color.Color, size float64, offset vg.Point, align draw.XAlignment) error {
	l, err := plotter.NewLabels(plotter.XYLabels{XYs: xy, Labels: texts})
	if err != nil {
		return err
	}
	l.Offset = offset
	for i := range l.TextStyle {
		l.TextStyle[i].Font = sans(size)
		l.TextStyle[i].Color = c
		l.TextStyle[i].XAlign = align
	}
	p.Add(l)
	return nil
}
