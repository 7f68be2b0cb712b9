package tokens

import (
	"net/http"
	"sync"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/record"
)

// Refreshes that end at the same time never take a request back to older tokens.
func TestHeldKeepsTheLatest(t *testing.T) {
	const latest = 50
	first := &record.Record{}
	var held Held
	held.Init(&http.Request{}, first)
	var wg sync.WaitGroup
	for generation := range uint64(latest + 1) {
		wg.Go(func() { held.adopt(first.As(generation)) })
	}
	wg.Wait()
	if got := held.Current().Generation(); got != latest {
		t.Errorf("generation %d, want %d", got, latest)
	}
	kept := held.Current()
	if held.adopt(first.As(latest)); held.Current() != kept {
		t.Error("another record of the same generation took its place")
	}
}
