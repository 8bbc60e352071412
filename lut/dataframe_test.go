package lut

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// readers test for a library and print, each with another library, the number of
// rows, the sum of the medians, the number of nulls in energy_mj, the first key
// and the year of its measurement.
var readers = []struct{ name, program, flag, find, script string }{
	{"pandas", "/usr/bin/python3", "-c", "import pandas.io.parquet as p; p.get_engine('auto')", `
import sys, pandas as pd
t = pd.read_parquet(sys.argv[1])
print(len(t), "%.3f" % t.latency_median_ns.sum(), int(t.energy_mj.isna().sum()), t.key[0], t.measured_at[0].year)`},
	{"polars", "/usr/bin/python3", "-c", "import polars", `
import sys, polars as pl
t = pl.read_parquet(sys.argv[1])
print(t.height, "%.3f" % t["latency_median_ns"].sum(), t["energy_mj"].null_count(), t["key"][0], t["measured_at"][0].year)`},
	{"duckdb", "/usr/bin/python3", "-c", "import duckdb", `
import sys, duckdb
r = duckdb.sql("select count(*), sum(latency_median_ns), count(*) - count(energy_mj), first(key), year(first(measured_at)) from '%s'" % sys.argv[1]).fetchone()
print(r[0], "%.3f" % r[1], r[2], r[3], r[4])`},
	// Where it lies, NODE_PATH says.
	{"duckdb for node", "node", "-e", "require('@duckdb/node-api')", `
(async () => {
	const { DuckDBInstance } = require('@duckdb/node-api')
	const db = await (await DuckDBInstance.create(':memory:')).connect()
	const r = (await db.runAndReadAll("select count(*), sum(latency_median_ns), count(*) - count(energy_mj), first(key), year(first(measured_at)) from '" + process.argv[1] + "'")).getRows()[0]
	console.log(String(r[0]), r[1].toFixed(3), String(r[2]), r[3], String(r[4]))
})()`},
	{"polars for node", "node", "-e", "require('nodejs-polars')", `
const pl = require('nodejs-polars')
const t = pl.readParquet(process.argv[1])
const first = t.head(1).toRecords()[0]
console.log(t.height, t.getColumn('latency_median_ns').sum().toFixed(3),
	t.getColumn('energy_mj').nullCount(), first.key, first.measured_at.getUTCFullYear())`},
}

// TestDataFrames reads a table, also one with a published part, by the
// libraries that are installed.
func TestDataFrames(t *testing.T) {
	table := testTable(2500)
	table.Published = &Published{Format: "ofa", Columns: []string{"k", "ms"}, Records: [][]string{{"a", "1"}}, Key: 1, Latency: "ms"}
	path := filepath.Join(t.TempDir(), "t.lut.parquet")
	if err := table.Write(path); err != nil {
		t.Fatal(err)
	}
	sum, nulls := 0.0, 0
	for _, r := range table.Rows {
		sum += r.LatencyMedianNS
		if r.EnergyMJ == nil {
			nulls++
		}
	}
	want := fmt.Sprintf("2500 %.3f %d %s 2026", sum, nulls, table.Rows[0].Key)
	for _, r := range readers {
		t.Run(r.name, func(t *testing.T) {
			if out, err := exec.Command(r.program, r.flag, r.find).CombinedOutput(); err != nil {
				t.Skipf("%s is not installed for %s: %v %s", r.name, r.program, err, lastLine(out))
			}
			out, err := exec.Command(r.program, r.flag, r.script, path).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := strings.TrimSpace(string(out)); got != want {
				t.Errorf("it reads %q, want %q", got, want)
			}
		})
	}
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
