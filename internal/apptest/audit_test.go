package apptest

import (
	"net/http"
	"strings"
	"testing"
)

// A test that cannot fail is worse than none.
func TestCookieFaults(t *testing.T) {
	const good = "__Host-x=v; Path=/; Max-Age=9; HttpOnly; Secure; SameSite=Lax"
	for _, tt := range []struct {
		name    string
		cookies []string
		cache   string
		faults  int
	}{
		{"a good cookie", []string{good}, "no-store", 0},
		{"a good deletion", []string{strings.NewReplacer("=v", "=", "=9", "=0").Replace(good)}, "no-store", 0},
		{"the same cookie twice", []string{good, good}, "no-store", 1},
		{"readable by scripts", []string{strings.Replace(good, "HttpOnly; ", "", 1)}, "no-store", 1},
		{"sent across sites", []string{strings.Replace(good, "Lax", "None", 1)}, "no-store", 1},
		{"sent over http", []string{strings.Replace(good, "Secure; ", "", 1)}, "no-store", 1},
		{"of another path", []string{strings.Replace(good, "Path=/", "Path=/x", 1)}, "no-store", 1},
		{"of a domain", []string{good + "; Domain=test"}, "no-store", 1},
		{"without the prefix", []string{strings.Replace(good, "__Host-", "", 1)}, "no-store", 1},
		{"cacheable", []string{good}, "private", 1},
		{"too large", []string{strings.Replace(good, "=v", "="+strings.Repeat("v", 3900), 1)}, "no-store", 1},
		{"deleted with its value", []string{strings.Replace(good, "=9", "=0", 1)}, "no-store", 1},
	} {
		h := http.Header{"Set-Cookie": tt.cookies, "Cache-Control": {tt.cache}}
		if faults := CookieFaults(h, true); len(faults) != tt.faults {
			t.Errorf("%s: %q", tt.name, faults)
		}
	}
}
