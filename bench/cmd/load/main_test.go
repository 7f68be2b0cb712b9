package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain serves if compareServers has started this binary as the process that is measured.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "-serve" {
		if err := serveAll(os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// The command still measures: each server serves, and each application signs in.
func TestCompare(t *testing.T) {
	const turn = 20 * time.Millisecond
	servers, err := compareServers(1, turn)
	if err != nil || strings.Count(servers, "oauthlogin") != 6 {
		t.Errorf("servers: %v\n%s", err, servers)
	}
	logins, err := compareLogins(1, turn)
	if err != nil || !strings.Contains(logins, "oauthlogin") {
		t.Errorf("logins: %v\n%s", err, logins)
	}
}
