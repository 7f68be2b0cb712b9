package record

import (
	"strconv"
	"sync"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/protocol"
)

// groupsOf returns a new session of a user with one group.
func groupsOf(group string) *Record {
	return New(ProviderTag{1}, User{Subject: "alice", RawClaims: []byte(`{"sub":"alice","groups":["` + group + `"]}`)}, &protocol.Tokens{})
}

// Copies of a record share what is known of its claims, and have claims of their own.
func TestFactsAreOfOneRecord(t *testing.T) {
	type policy struct{ _ int }
	asked := map[string][]string{"groups": {"admin"}}
	admins := new(policy)
	rec := groupsOf("admin")
	if f := rec.Facts(admins, asked); f.Lacks != "" || f != rec.Facts(admins, asked) {
		t.Errorf("%+v; read again: %t", f, f != rec.Facts(admins, asked))
	}
	next := rec.Next()
	next.User = groupsOf("guest").User
	for range 2 {
		if f := next.Facts(admins, asked); f.Lacks == "" {
			t.Error("the next generation has the group of the one before")
		}
		if f := rec.Facts(admins, asked); f.Lacks != "" {
			t.Errorf("the generation before lacks the %s of its own", f.Lacks)
		}
	}
	// What is known of a later record keeps no earlier one in memory, and is bounded.
	for range 3 * maxFacts {
		next.Facts(new(policy), asked)
	}
	n := 0
	for f := next.known.Load(); f != nil; f = f.next {
		if n++; f.record != next {
			t.Error("facts of another record stay with this one")
		}
	}
	if n > maxFacts {
		t.Errorf("%d facts stay, want %d at most", n, maxFacts)
	}
}

// Requests with one session ask at the same time.
func TestFactsAtOnce(t *testing.T) {
	var policies [2 * maxFacts]struct{ _ int }
	rec := groupsOf("0")
	next := rec.Next()
	next.User = groupsOf("1").User
	var wg sync.WaitGroup
	for i := range policies {
		for has, rec := range []*Record{rec, next} {
			wg.Go(func() {
				for range 100 {
					for wants := range 2 {
						f := rec.Facts(&policies[i/2*2+wants], map[string][]string{"groups": {strconv.Itoa(wants)}})
						if (f.Lacks == "") != (wants == has) {
							t.Errorf("a policy that wants group %d of a user in group %d: lacks %q", wants, has, f.Lacks)
						}
					}
				}
			})
		}
	}
	wg.Wait()
}
