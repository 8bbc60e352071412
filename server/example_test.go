package server_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/hwprofd/hwprofd/server"
)

// Serve the API beside other handlers. Serve does the jobs too.
func Example() {
	dir, err := os.MkdirTemp("", "hwprofd-state-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := server.New(server.Options{Dir: dir, Executable: "hwprofd", Spaces: []string{"mobile28"}})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	site := httptest.NewServer(s.Handler())
	defer site.Close()
	response, err := http.Get(site.URL + "/api/v1/luts")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.Status, string(body))
	// Output:
	// 200 OK {"luts":[]}
}
