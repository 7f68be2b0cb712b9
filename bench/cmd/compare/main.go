// Command compare measures the CPU time per request of each way to load a session.
// It measures each target next to the floor, in many short rounds, so that
// disturbances affect both. It prints a Markdown table of medians.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/bench"
)

func main() {
	testing.Init()
	rounds := flag.Int("rounds", 16, "number of measurements per target, each paired with the floor")
	docs := flag.String("docs", "", "directory of performance.md, to update the table and the picture; empty: only print")
	many := flag.Int("many", 10_000, "number of users in the long run, with 100 requests each; 0: no long run")
	flag.Parse()
	log.SetFlags(0)
	if err := flag.Set("test.benchtime", "1000x"); err != nil { // for testing.Benchmark, which counts allocations
		log.Fatal(err)
	}
	if err := compare(*rounds, *many, *docs); err != nil {
		log.Fatal(err)
	}
}

func compare(rounds, many int, docs string) error {
	machine := bench.Machine()
	targets, err := bench.Targets()
	if err != nil {
		return err
	}
	lines, err := measure(targets, rounds)
	if err != nil {
		return err
	}
	text := machine + fmt.Sprintf(". Medians of %d rounds.\n\n", rounds) + table(lines)
	if many > 0 {
		long, err := longRun(many)
		if err != nil {
			return err
		}
		text += "\n" + long
	}
	fmt.Println(text)
	if docs == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(docs, "performance.svg"), []byte(picture(lines)), 0o666); err != nil {
		return err
	}
	return bench.Insert(docs, "go run ./bench/cmd/compare -docs docs", text)
}

// A line is the result for one target.
type line struct {
	*bench.Target
	ns, toFloor, toOpening float64
	bytes, allocs          int64
}

// each is the duration of one measurement: short, because there are many rounds.
const each = 20 * time.Millisecond

func measure(targets []*bench.Target, rounds int) ([]*line, error) {
	lines := make([]*line, len(targets))
	ns, toFloor, toOpening := make([][]float64, len(targets)), make([][]float64, len(targets)), make([][]float64, len(targets))
	for i, t := range targets {
		lines[i] = &line{Target: t}
		if t.Refusal != nil {
			continue
		}
		if err := t.Check(); err != nil {
			return nil, err
		}
		result := testing.Benchmark(t.Benchmark)
		lines[i].bytes, lines[i].allocs = result.AllocedBytesPerOp(), result.AllocsPerOp()
	}
	floor, opening := targets[0], map[bench.Size]*bench.Target{}
	for _, t := range targets {
		if t.Opening {
			opening[t.Size] = t
		}
	}
	for round := range rounds {
		for i, t := range targets {
			if t.Refusal != nil {
				continue
			}
			under, took, err := pair(floor, t, round%2 == 0)
			if err != nil {
				return nil, err
			}
			ns[i] = append(ns[i], float64(took))
			toFloor[i] = append(toFloor[i], float64(took)/float64(under))
			if opening[t.Size] == nil {
				continue
			}
			if under, took, err = pair(opening[t.Size], t, round%2 == 0); err != nil {
				return nil, err
			}
			toOpening[i] = append(toOpening[i], float64(took)/float64(under))
		}
	}
	for i, l := range lines {
		l.ns, l.toFloor, l.toOpening = bench.Median(ns[i]), bench.Median(toFloor[i]), bench.Median(toOpening[i])
	}
	return lines, nil
}

// pair measures a and b in immediate succession. Callers alternate the order, so
// that it does not bias the result.
func pair(a, b *bench.Target, aFirst bool) (ofA, ofB time.Duration, err error) {
	if !aFirst {
		ofB, ofA, err = pair(b, a, true)
		return ofA, ofB, err
	}
	if ofA, err = a.Measure(each); err != nil {
		return 0, 0, err
	}
	ofB, err = b.Measure(each)
	return ofA, ofB, err
}

func table(lines []*line) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| | session | ns | x floor | x NopEncoder | bytes | allocations | cookie bytes |")
	fmt.Fprintln(&b, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, l := range lines {
		size, cookie, opening := "none", "–", "–"
		if l.Size != "" {
			size = string(l.Size)
		}
		if l.Refusal != nil {
			fmt.Fprintf(&b, "| %s | %s | refuses | | | | | |\n", l.Name, size)
			continue
		}
		if l.CookieBytes > 0 {
			cookie = fmt.Sprint(l.CookieBytes)
		}
		if l.CookieBytes > 4096 {
			cookie += " (browsers drop it)"
		}
		if l.toOpening > 0 {
			opening = fmt.Sprintf("%.2f", l.toOpening)
		}
		fmt.Fprintf(&b, "| %s | %s | %.0f | %.2f | %s | %d | %d | %s |\n", l.Name, size, l.ns, l.toFloor, opening, l.bytes, l.allocs, cookie)
	}
	return b.String()
}

func longRun(users int) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%d users in random order, %d requests through Handler, http.ServeMux and RequireAuth:\n\n", users, 100*users)
	fmt.Fprintln(&b, "| session | ns per request, by tenths of the run | heap after each tenth, MiB |")
	fmt.Fprintln(&b, "| --- | --- | --- |")
	for _, size := range []bench.Size{bench.Small, bench.Large} {
		m, err := bench.NewMany(size, users)
		if err != nil {
			return "", err
		}
		stretches, err := m.Run(100 * users)
		if err != nil {
			return "", err
		}
		var ns, heap []string
		for _, s := range stretches {
			ns = append(ns, fmt.Sprint(s.PerRequest.Nanoseconds()))
			heap = append(heap, fmt.Sprintf("%.1f", float64(s.Heap)/(1<<20)))
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", size, strings.Join(ns, " "), strings.Join(heap, " "))
	}
	return b.String(), nil
}
