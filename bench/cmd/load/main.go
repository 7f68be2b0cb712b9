// Command load compares complete servers, in requests per second, and complete
// logins, in logins per second. The candidates take turns in many short rounds.
// It prints Markdown tables of medians.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/bench"
)

func main() {
	rounds := flag.Int("rounds", 80, "number of turns per server and application")
	turn := flag.Duration("turn", 150*time.Millisecond, "duration of a turn")
	docs := flag.String("docs", "", "directory of performance.md, to update the tables; empty: only print")
	serve := flag.Bool("serve", false, "run as the process that is measured")
	flag.Parse()
	log.SetFlags(0)
	run := func() error { return compare(*rounds, *turn, *docs) }
	if *serve {
		run = func() error { return serveAll(os.Stdin, os.Stdout) }
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func compare(rounds int, turn time.Duration, docs string) error {
	machine := bench.Machine()
	servers, err := compareServers(rounds, turn)
	if err != nil {
		return err
	}
	logins, err := compareLogins(rounds, turn)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s. Medians of %d rounds of %v.\n\n%s\n%s", machine, rounds, turn, servers, logins)
	fmt.Println(text)
	if docs == "" {
		return nil
	}
	return bench.Insert(docs, "go run ./bench/cmd/load -docs docs", text)
}

// ratios returns the median ratio of two series of measurements, round by round.
func ratios(of, by []float64) float64 {
	quotients := make([]float64, len(of))
	for i := range of {
		quotients[i] = of[i] / by[i]
	}
	return bench.Median(quotients)
}

func row(cells ...any) string {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = fmt.Sprint(cell)
	}
	return "| " + strings.Join(texts, " | ") + " |\n"
}
