package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/server/api"
	"github.com/hwprofd/hwprofd/server/client"
)

var (
	load    = flag.Duration("load", 500*time.Millisecond, "how long TestPredictUnderLoad asks for predictions")
	loadURL = flag.String("load-url", "", "daemon that TestPredictUnderLoad asks, by a table of 1,000 rows if it has none; by default one in this process")
)

const loadClients = 64

// TestPredictUnderLoad asks for predictions by 64 clients at once, each of
// another network, and prints the rate and the times. It fails where an answer
// is wrong; that it is fast enough is for a machine that has nothing else to do.
func TestPredictUnderLoad(t *testing.T) {
	address := strings.TrimSuffix(*loadURL, "/")
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
	question := func(rng *rand.Rand) []byte {
		names := make([]string, 20)
		for i := range names {
			names[i] = workloads[rng.IntN(len(workloads))]
		}
		body, err := json.Marshal(api.PredictRequest{LUT: table, Workloads: names})
		if err != nil {
			t.Fatal(err)
		}
		return loadRequest(body)
	}
	first, err := newLoadClient(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.ask(question(rand.New(rand.NewPCG(9, 9))), table); err != nil { // fits the predictor
		t.Fatal(err)
	}
	var all []time.Duration
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed atomic.Int64
	begin := time.Now()
	resident := []float64{residentMiB(t, address)}
	for c := range loadClients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(5, uint64(c)))
			questions := make([][]byte, 50)
			for i := range questions {
				questions[i] = question(rng)
			}
			fail := func(err error) {
				if failed.Add(1) == 1 {
					t.Error(err)
				}
			}
			client, err := newLoadClient(address)
			if err != nil {
				fail(err)
				return
			}
			defer client.connection.Close()
			var took []time.Duration
			for i := 0; time.Since(begin) < *load; i++ {
				asked := time.Now()
				if err := client.ask(questions[i%len(questions)], table); err != nil {
					fail(err)
					return
				}
				took = append(took, time.Since(asked))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	for waiting := true; waiting; {
		select {
		case <-finished:
			waiting = false
		case <-time.After(*load / 6):
			resident = append(resident, residentMiB(t, address))
		}
	}
	elapsed := time.Since(begin)
	if len(all) == 0 {
		t.Fatal("no answers")
	}
	slices.Sort(all)
	t.Logf("%d clients, %d networks of 20 workloads each: %.0f answers/s, median %v, p99 %v, longest %v, %d failed; the daemon's resident memory in MiB, at the begin and each sixth of the time: %.1f",
		loadClients, 50, float64(len(all))/elapsed.Seconds(), all[len(all)/2], all[len(all)*99/100], all[len(all)-1], failed.Load(), resident)
}

// loadRequest is a request on a connection that is kept.
func loadRequest(body []byte) []byte {
	return fmt.Appendf(nil, "POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// loadClient takes so little time that it can run beside the daemon that it
// puts under load: it reads no more of an answer than its status, its length
// and how its body begins.
type loadClient struct {
	connection net.Conn
	reader     *bufio.Reader
	body       []byte
}

func newLoadClient(address string) (*loadClient, error) {
	connection, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		return nil, err
	}
	return &loadClient{connection, bufio.NewReaderSize(connection, 16<<10), nil}, nil
}

func (c *loadClient) ask(request []byte, table string) error {
	if _, err := c.connection.Write(request); err != nil {
		return err
	}
	length := -1
	for n := 0; ; n++ {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if n == 0 && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			rest, _ := io.ReadAll(io.LimitReader(c.reader, 500))
			return fmt.Errorf("answered %s%s", line, rest)
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
		if len(line) == 2 {
			break
		}
	}
	if length < 0 {
		return errors.New("an answer without its length")
	}
	c.body = slices.Grow(c.body[:0], length)[:length]
	if _, err := io.ReadFull(c.reader, c.body); err != nil {
		return err
	}
	if want := `{"lut":"` + table + `","latency_ns":`; !bytes.HasPrefix(c.body, []byte(want)) || c.body[length-2] != '}' {
		return fmt.Errorf("answer %s", c.body)
	}
	return nil
}

// tableOf is a table of a daemon, with its workloads. It uploads one if there is
// none, and waits until predictions can be made by it.
func tableOf(t *testing.T, address string) (string, []string) {
	var tables api.LUTs
	var rows api.Rows
	get(t, address+"/api/v1/luts", &tables)
	if len(tables.LUTs) == 0 {
		path := filepath.Join(t.TempDir(), "load"+tableSuffix)
		if err := fakeTable(1000).Write(path); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c := client.Client{URL: address}
		if _, err := c.UploadLUT(t.Context(), "load", false, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := c.Predict(t.Context(), api.PredictRequest{LUT: "load", Workloads: []string{fakeTable(1).Rows[0].Key}}); err != nil {
			t.Fatal(err)
		}
		t.Logf("the first prediction by a new table of 1,000 rows took %v", time.Since(begin))
		get(t, address+"/api/v1/luts", &tables)
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

// residentMiB is the memory of the daemon, as its metrics tell.
func residentMiB(t *testing.T, address string) float64 {
	response, err := http.Get(address + "/metrics")
	if err != nil {
		t.Error(err)
		return 0
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "process_resident_memory_bytes "); ok {
			bytes, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Error(err)
			}
			return bytes / (1 << 20)
		}
	}
	return 0 // no such metric on this system
}
