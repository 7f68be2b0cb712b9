package hints

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/weburl"
)

// A header of a stranger does not take many times its size in memory.
func TestForwardedHostsAreNotCollected(t *testing.T) {
	h := &Hints{paths: &weburl.Paths{Origin: "https://app.test"}}
	r := httptest.NewRequest(http.MethodGet, "http://backend.test/login", nil)
	r.Header.Set("X-Forwarded-Host", strings.Repeat("A,", 100)+"app.test")
	if n := testing.AllocsPerRun(10, func() { h.hostOf(r) }); n > 10 {
		t.Errorf("%v allocations for a list of 101 hosts", n)
	}
	r.Header.Set("X-Forwarded-Host", "inner.test, App.test:443")
	if host, fits := h.hostOf(r); host != "app.test" || !fits {
		t.Errorf("%q, %t", host, fits)
	}
}
