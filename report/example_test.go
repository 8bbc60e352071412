package report_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hwprofd/hwprofd/report"
)

func ExampleWriteHTML() {
	dir, err := os.MkdirTemp("", "report")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "report.html")
	err = report.WriteHTML(path, report.Data{
		Title:   "mobile28 on this machine",
		Created: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
		Facts:   []report.Fact{{Value: "3.1%", Label: "median error of the prediction"}},
		Networks: []report.Comparison{
			{Name: "0.1.2", PredictedNS: 2.0e6, LowNS: 1.9e6, HighNS: 2.1e6, MeasuredNS: 2.05e6, CI95NS: 1e4},
			{Name: "2.1.0", PredictedNS: 3.0e6, LowNS: 2.8e6, HighNS: 3.2e6, MeasuredNS: 2.9e6, CI95NS: 1e4},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Contains(string(page), "Predicted against measured"), strings.Contains(string(page), "http://www.example"))
	// Output: true false
}
