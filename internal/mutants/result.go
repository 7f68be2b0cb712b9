package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// An outcome says what became of a mutant.
type outcome string

const (
	caught      outcome = "caught"
	survived    outcome = "survived"
	notCompiled outcome = "does not compile"
	notTried    outcome = "not tried" // its code is missing or ambiguous, or go test did not run
)

// A result is the outcome of one mutant.
type result struct {
	mutant  string
	outcome outcome
	detail  string // the tests that failed, or why the mutant was not caught
	took    time.Duration
}

func (r result) as(o outcome, detail string) result {
	r.outcome, r.detail = o, strings.TrimSpace(detail)
	return r
}

func (r result) String() string {
	return fmt.Sprintf("%-16s  %s: %s (%.0fs)", r.outcome, r.mutant, r.detail, r.took.Seconds())
}

// A summary counts the results and keeps the ones that need attention.
type summary struct {
	counts map[outcome]int
	bad    []result
}

func (s *summary) add(r result) {
	if s.counts == nil {
		s.counts = map[outcome]int{}
	}
	s.counts[r.outcome]++
	if r.outcome != caught {
		s.bad = append(s.bad, r)
	}
}

// String returns the totals, then the name of each mutant that was not caught.
func (s *summary) String() string {
	total := 0
	for _, n := range s.counts {
		total += n
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d mutants: %s %d", total, caught, s.counts[caught])
	for _, o := range []outcome{survived, notCompiled, notTried} {
		fmt.Fprintf(&b, ", %s %d", o, s.counts[o])
	}
	for _, r := range s.bad {
		fmt.Fprintf(&b, "\n%-16s  %s", r.outcome, r.mutant)
	}
	return b.String()
}

func (s *summary) err() error {
	if len(s.bad) == 0 {
		return nil
	}
	return errors.New("not every mutant was caught")
}
