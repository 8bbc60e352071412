package server

import (
	"net/http"
	"testing"
)

const testToken = "0123456789abcdefghijklmnop"

func TestCheckListen(t *testing.T) {
	for _, test := range []struct {
		address string
		tls     bool
		token   string
		want    string // in the error; empty where it is fine
	}{
		{"127.0.0.1:7380", false, "", ""},
		{"[::1]:7380", false, "", ""},
		{"localhost:0", false, "", ""},
		{"127.8.8.8:1", false, "", ""},
		{":7380", false, "", "TLS and a token"},
		{"0.0.0.0:7380", true, "", "a token"},
		{"[::]:7380", false, testToken, "TLS"},
		{"192.168.1.2:7380", false, "", "beyond loopback"},
		{"example.org:7380", false, "", "beyond loopback"},
		{"0.0.0.0:7380", true, testToken, ""},
		{"0.0.0.0:7380", true, "short", "fewer than"},
		{"127.0.0.1", false, "", "HOST:PORT"},
		{"127.0.0.1:99999", false, "", "HOST:PORT"},
		{"127.0.0.1:-1", false, "", "HOST:PORT"},
	} {
		err := CheckListen(test.address, test.tls, test.token)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.address, err)
		case test.want != "" && err == nil:
			t.Errorf("%s is taken, with tls %v and token %q", test.address, test.tls, test.token)
		case test.want != "":
			contains(t, err.Error(), test.want)
		}
	}
}

func TestToken(t *testing.T) {
	d := startDaemon(t, t.TempDir(), func(o *Options) { o.Token = testToken })
	d.get("/api/v1/luts", nil)
	request, _ := http.NewRequest("GET", d.url+"/api/v1/luts", nil)
	for _, authorization := range []string{"Bearer wrong", "Basic " + testToken, "Bearer", testToken} {
		request.Header.Set("Authorization", authorization)
		if response := d.send(request, http.StatusUnauthorized, nil); response.Header.Get("WWW-Authenticate") == "" {
			t.Error("WWW-Authenticate is missing")
		}
	}
	response, err := http.Get(d.url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("/healthz without a token: %d", response.StatusCode)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	d := startDaemon(t, t.TempDir())
	// A name of someone else's that leads here (DNS rebinding).
	request, _ := http.NewRequest("GET", d.url+"/api/v1/luts", nil)
	request.Host = "evil.example:7380"
	d.send(request, http.StatusMisdirectedRequest, nil)
	request.Host = "localhost:7380"
	d.send(request, http.StatusOK, nil)
	// A page of someone else's that posts here.
	request, _ = http.NewRequest("POST", d.url+"/api/v1/models", nil)
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	d.send(request, http.StatusForbidden, nil)
	d.ask("PATCH", "/api/v1/luts", "", nil, http.StatusMethodNotAllowed, nil)
	d.ask("GET", "/api/v2/luts", "", nil, http.StatusNotFound, nil)
}
