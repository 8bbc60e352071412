package server

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/server/api"
)

var (
	load    = flag.Duration("load", 500*time.Millisecond, "how long TestPredictUnderLoad asks for predictions")
	loadURL = flag.String("load-url", "", "daemon that TestPredictUnderLoad asks, which has the tables and models that it finds; by default one in this process")
)

const loadClients = 64

// TestPredictUnderLoad asks for predictions by 64 clients at once, each of
// another network, and prints the rate and the times. It fails where an answer
// is wrong; that it is fast enough is for a machine that has nothing else to do.
func TestPredictUnderLoad(t *testing.T) {
	address := *loadURL
	table, workloads := "a", []string{}
	for _, row := range fakeTable(150).Rows {
		workloads = append(workloads, row.Key)
	}
	if address == "" {
		d := startDaemon(t, t.TempDir())
		d.addTable(table, 150)
		address = d.url
	} else {
		table, workloads = tableOf(t, address)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: loadClients}
	client := &http.Client{Transport: transport}
	ask := func(body []byte) error {
		response, err := client.Post(address+"/api/v1/predict", "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d: %s %v", response.StatusCode, content, err)
		}
		if !bytes.HasPrefix(content, []byte(`{"lut":"`+table)) {
			return fmt.Errorf("answer %s", content)
		}
		return nil
	}
	question := func(rng *rand.Rand) []byte {
		names := make([]string, 20)
		for i := range names {
			names[i] = workloads[rng.IntN(len(workloads))]
		}
		body, err := json.Marshal(api.PredictRequest{LUT: table, Workloads: names})
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	if err := ask(question(rand.New(rand.NewPCG(9, 9)))); err != nil { // fits the predictor
		t.Fatal(err)
	}
	var all []time.Duration
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed atomic.Int64
	begin := time.Now()
	resident := residentKiB()
	for c := range loadClients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(5, uint64(c)))
			questions := make([][]byte, 50)
			for i := range questions {
				questions[i] = question(rng)
			}
			var took []time.Duration
			for i := 0; time.Since(begin) < *load; i++ {
				asked := time.Now()
				if err := ask(questions[i%len(questions)]); err != nil {
					if failed.Add(1) == 1 {
						t.Error(err)
					}
				}
				took = append(took, time.Since(asked))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	wg.Wait()
	elapsed := time.Since(begin)
	slices.Sort(all)
	t.Logf("%d clients, %d networks of 20 workloads each: %.0f answers/s, median %v, p99 %v, %d failed; resident %d KiB before, %d KiB after (with the clients where they are in this process)",
		loadClients, 50, float64(len(all))/elapsed.Seconds(), all[len(all)/2], all[len(all)*99/100], failed.Load(), resident, residentKiB())
}

// tableOf is a table of a daemon, with its workloads.
func tableOf(t *testing.T, address string) (string, []string) {
	var tables api.LUTs
	var rows api.Rows
	get(t, address+"/api/v1/luts", &tables)
	if len(tables.LUTs) == 0 {
		t.Fatalf("%s has no tables", address)
	}
	name := tables.LUTs[0].Name
	get(t, address+"/api/v1/luts/"+name+"/rows?limit=1000", &rows)
	var workloads []string
	for _, row := range rows.Rows {
		workloads = append(workloads, row.Key)
	}
	return name, workloads
}

func get(t *testing.T, address string, v any) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}

func residentKiB() int {
	content, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int
	fmt.Sscan(string(content), &size, &resident)
	return resident * os.Getpagesize() >> 10
}
