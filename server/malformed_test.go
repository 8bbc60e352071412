package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hwprofd/hwprofd/server/api"
)

var malformed = flag.Int("malformed", 2000, "how many malformed requests TestMalformedRequests sends")

// TestMalformedRequests sends requests that are wrong in a way, and no two
// alike: the daemon must answer each with a 4xx that says why, not panic, not
// log an error, and not keep what it got.
func TestMalformedRequests(t *testing.T) {
	d := startDaemon(t, t.TempDir(), func(o *Options) { o.MaxUpload = 64 << 10 })
	d.addTable("a", 60)
	model := d.upload("net.onnx", "model")
	rng := rand.New(rand.NewPCG(4, 4))
	valid := []string{
		`{"kind":"measure","models":["` + model.Digest + `"],"budget_seconds":1}`,
		`{"lut":"a","workloads":["conv2d/f32/n1c64h56w56/k128r3s3/stride2.pad1.dil1.group1/relu"]}`,
	}
	var before, after runtime.MemStats
	statuses := map[int]int{}
	connection, reader := dial(t, d)
	for n := range *malformed {
		if n == *malformed/10 {
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
		request, protocol := makeMalformed(rng, valid)
		if _, err := connection.Write(request); err != nil {
			connection, reader = dial(t, d)
			if _, err := connection.Write(request); err != nil {
				t.Fatal(err)
			}
		}
		_ = connection.SetReadDeadline(time.Now().Add(10 * time.Minute)) // the machine may be busy
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatalf("request %d: %v\n%q", n, err, request[:min(len(request), 500)])
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		statuses[response.StatusCode]++
		var p api.Problem
		switch {
		case protocol && response.StatusCode == http.StatusHTTPVersionNotSupported:
		case response.StatusCode < 400 || response.StatusCode >= 500 || err != nil:
			t.Fatalf("request %d: status %d, %v\n%q", n, response.StatusCode, err, request[:min(len(request), 500)])
		case protocol && response.Header.Get("Content-Type") != "application/problem+json":
			// What is no HTTP never reaches a route.
		case response.Header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(body, &p) != nil || p.Status != response.StatusCode || p.Detail == "":
			t.Fatalf("request %d: status %d without a problem: %s\n%q", n, response.StatusCode, body, request[:min(len(request), 500)])
		}
		if response.Close || protocol {
			connection.Close()
			connection, reader = dial(t, d)
		}
	}
	connection.Close()
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d requests; statuses %v; heap %d KiB after a tenth of them, %d KiB at the end", *malformed, statuses, before.HeapAlloc>>10, after.HeapAlloc>>10)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
	if jobs := d.server.queue.list(""); len(jobs) != 0 {
		t.Errorf("%d jobs were queued, the first %+v", len(jobs), jobs[0])
	}
	left, err := os.ReadDir(d.server.models.dir)
	if err != nil || len(left) != 2 {
		t.Errorf("files of models: %v, %v", left, err)
	}
	d.get("/healthz", nil)
}

func dial(t *testing.T, d *daemon) (net.Conn, *bufio.Reader) {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return connection, bufio.NewReader(connection)
}

// makeMalformed makes a wrong request; protocol tells that it is no HTTP.
func makeMalformed(rng *rand.Rand, valid []string) (request []byte, protocol bool) {
	noise := func(n int) []byte {
		b := make([]byte, rng.IntN(n)+1)
		for i := range b {
			b[i] = byte(rng.IntN(256))
		}
		return b
	}
	token := func() string {
		const letters = "abcdefghijklmnopqrstuvwxyz0123456789._~"
		b := make([]byte, 1+rng.IntN(30))
		for i := range b {
			b[i] = letters[rng.IntN(len(letters))]
		}
		return "x" + string(b)
	}
	send := func(method, path, kind string, body []byte) []byte {
		var b bytes.Buffer
		fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n", method, path)
		if kind != "" {
			fmt.Fprintf(&b, "Content-Type: %s\r\n", kind)
		}
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
		return b.Bytes()
	}
	posts := []string{"/api/v1/jobs", "/api/v1/predict"}
	which := rng.IntN(2)
	post, body := posts[which], []byte(valid[which])
	switch rng.IntN(13) {
	case 0: // a body cut off
		return send("POST", post, "application/json", body[:rng.IntN(len(body)-1)]), false
	case 1: // a byte of structure that is another
		for range 50 {
			i := rng.IntN(len(body))
			if strings.IndexByte(`{}[]":,`, body[i]) < 0 {
				continue
			}
			changed := bytes.Clone(body)
			if changed[i] = noise(1)[0]; !json.Valid(changed) {
				return send("POST", post, "application/json", changed), false
			}
		}
		return send("POST", post, "application/json", nil), false
	case 2: // no JSON at all
		return send("POST", post, "application/json", append([]byte{byte(128 + rng.IntN(128))}, noise(2000)...)), false
	case 3: // a value of another kind
		values := []string{`null`, `-1`, `1e400`, `"` + token() + `"`, `[]`, `{"a":1}`, `true`, `[[[]]]`}
		fields := []string{"kind", "lut", "models", "budget_seconds", "threads", "seed", "workloads", "model", token()}
		return send("POST", post, "application/json", fmt.Appendf(nil, `{%q:%s}`, fields[rng.IntN(len(fields))], values[rng.IntN(len(values))])), false
	case 4: // deep nesting
		return send("POST", post, "application/json", bytes.Repeat([]byte("["), 1+rng.IntN(20000))), false
	case 5: // too large
		return send("POST", post, "application/json", append(bytes.Repeat([]byte(" "), jsonLimit+rng.IntN(1000)), '{')), false
	case 6: // another type
		return send("POST", post, "text/"+token(), body), false
	case 7: // nothing is there
		paths := []string{"/api/v1/", "/api/v1/jobs/", "/api/v1/luts/", "/api/v1/models/", "/api/v1/jobs/7/"}
		methods := []string{"GET", "DELETE", "PUT", "PATCH", "OPTIONS"}
		method, path := methods[rng.IntN(len(methods))], paths[rng.IntN(len(paths))]
		var b []byte
		if method == "PUT" {
			b = noise(500)
		}
		return send(method, path+token(), "", b), false
	case 8: // wrong parameters
		names := []string{"limit", "offset", "sort"}
		return send("GET", "/api/v1/luts/a/rows?"+names[rng.IntN(len(names))]+"="+token(), "", nil), false
	case 9: // a wrong name of a workload
		name := strings.ReplaceAll(string(body), "conv2d", token())
		return send("POST", "/api/v1/predict", "application/json", []byte(name)), false
	case 11: // a part or a version that a table does not have
		wrong := []string{fmt.Sprintf("Range: bytes=%d-", 1<<30+rng.IntN(1<<30)), "Range: bytes=" + token(), "If-Match: \"" + token() + "\""}
		return fmt.Appendf(nil, "GET /api/v1/luts/a HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n\r\n", wrong[rng.IntN(len(wrong))]), false
	case 10: // a table that is none, or larger than is taken
		return send("PUT", "/api/v1/luts/"+token(), "application/octet-stream", noise(80<<10)), false
	default: // no HTTP
		lines := []string{
			"GET /api/v1/luts HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "GET /api/v1/luts HTTP/1.1\r\n\r\n",
			"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
			"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
			"GET /%zz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "G\x00T / HTTP/1.1\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: " + token() + "." + token() + "\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + strings.Repeat("y", 80<<10) + "\r\n\r\n",
		}
		return []byte(lines[rng.IntN(len(lines))]), true
	}
}
