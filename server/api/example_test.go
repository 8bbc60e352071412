package api_test

import (
	"encoding/json"
	"fmt"
	"log"

	"github.com/hwprofd/hwprofd/server/api"
)

// The body of POST /api/v1/jobs for five minutes of measuring a search space.
func Example() {
	body, err := json.Marshal(api.JobSpec{Kind: api.Profile, LUT: "pi4", Space: "mobile28", BudgetSeconds: 300})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(body))
	// Output:
	// {"kind":"profile","lut":"pi4","space":"mobile28","budget_seconds":300}
}
