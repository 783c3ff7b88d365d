package bench

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
)

// Plot draws figures as an SVG: a panel for each target and kind, a bar for each platform. Seconds and instructions
// never share an axis.
func Plot(out io.Writer, figures []Figure) error {
	const (
		width, left, right = 960, 300, 190
		row, bar, head     = 26, 16, 54
	)
	type panel struct {
		target, how string
		figures     []Figure
	}
	var panels []panel
	for _, f := range figures {
		if f.Error != "" {
			continue
		}
		i := 0
		for i < len(panels) && (panels[i].target != f.Target || panels[i].how != f.How) {
			i++
		}
		if i == len(panels) {
			panels = append(panels, panel{target: f.Target, how: f.How})
		}
		panels[i].figures = append(panels[i].figures, f)
	}
	var b bytes.Buffer
	y := 10
	for _, p := range panels {
		title, colour := "seconds (wall, least of the runs; the line is the median), native: on this host", "#2f6db5"
		if p.how == Emulated {
			title, colour = "instructions executed, emulated by QEMU: no measure of time", "#c0762b"
		}
		fmt.Fprintf(&b, "<text x=\"10\" y=\"%d\" font-size=\"15\" font-weight=\"bold\">%s</text>\n<text x=\"10\" y=\"%d\" fill=\"#555\">%s</text>\n", y+18, escape(p.target), y+36, escape(title))
		y += head
		most := 0.0
		for _, f := range p.figures {
			most = max(most, f.value())
			if f.Wall != nil {
				most = max(most, f.Wall.Median)
			}
		}
		scale := func(v float64) float64 {
			if most == 0 {
				return 0
			}
			return v / most * (width - left - right)
		}
		for _, f := range p.figures {
			label := grouped(f.Instructions)
			if f.Wall != nil {
				label = seconds(f.Wall.Min)
			}
			if f.Relative > 0 {
				label += fmt.Sprintf("  (%.2f)", f.Relative)
			}
			end := scale(f.value())
			fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", left-8, y+bar-3, escape(f.Name()+", "+f.How), left, y, end, bar, colour)
			if f.Wall != nil {
				end = max(end, scale(f.Wall.Median))
				fmt.Fprintf(&b, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%[1]f\" y2=\"%[3]d\" stroke=\"#222\"/>\n",
					left+scale(f.Wall.Median), y-2, y+bar+2)
			}
			fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%d\">%s</text>\n", left+end+6, y+bar-3, escape(label))
			y += row
		}
		y += 14
	}
	_, err := fmt.Fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %[1]d %[2]d\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n%s</svg>\n", width, y, b.String())
	return err
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}
