package main

import (
	"flag"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/bench"
)

// The command still measures and draws every target.
func TestMeasure(t *testing.T) {
	if err := flag.Set("test.benchtime", "1x"); err != nil { // for testing.Benchmark
		t.Fatal(err)
	}
	targets, err := bench.Targets()
	if err != nil {
		t.Fatal(err)
	}
	lines, err := measure(targets, 1)
	if err != nil {
		t.Fatal(err)
	}
	text, drawing := table(lines), picture(lines)
	for _, target := range targets {
		if !strings.Contains(text, "| "+target.Name+" |") || !strings.Contains(drawing, target.Name+"</text>") {
			t.Errorf("%s is missing", target.Name)
		}
	}
}
