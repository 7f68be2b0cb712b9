// Command load compares whole servers, in requests a second, and whole
// sign-ins, in logins a second. All take turns, in many short rounds. It prints
// Markdown tables of medians.
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
	rounds := flag.Int("rounds", 9, "how often each server and each application has its turn")
	turn := flag.Duration("turn", time.Second, "how long a turn takes")
	docs := flag.String("docs", "", "directory of performance.md to put the tables into; none by default")
	serve := flag.Bool("serve", false, "be the process that is measured")
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

// ratios divides what two have reached in the same rounds.
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
