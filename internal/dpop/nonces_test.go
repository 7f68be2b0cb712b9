package dpop_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
)

func offers(nonces ...string) http.Header { return http.Header{"Dpop-Nonce": nonces} }

// RFC 9449 section 9: nonces belong to the server that gave them.
func TestNoncesByOrigin(t *testing.T) {
	t.Parallel()
	var n dpop.Nonces
	if got := n.Of(request(t, "GET", "https://a.test/")); got != "" {
		t.Errorf("nonce %q", got)
	}
	n.Learn(request(t, "GET", "https://a.test/x?y"), offers("one"))
	n.Learn(request(t, "GET", "https://b.test/"), offers("two"))
	for at, want := range map[string]string{
		"https://a.test": "one", "HTTPS://A.test:443/other": "one", "https://b.test/": "two",
		"http://a.test/": "", "https://a.test:444/": "", "https://c.test/": "", "https://x.a.test/": "",
	} {
		if got := n.Of(request(t, "POST", at)); got != want {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
	n.Learn(request(t, "GET", "https://a.test/"), offers("three"))
	if got := n.Of(request(t, "GET", "https://a.test/")); got != "three" {
		t.Errorf("nonce %q", got)
	}
}

// Section 8.1: what is not a nonce changes nothing.
func TestNonceSyntax(t *testing.T) {
	t.Parallel()
	var n dpop.Nonces
	r := request(t, "GET", "https://a.test/")
	if n.Learn(r, offers("good")) != "good" {
		t.Error("a nonce is not learned")
	}
	for _, header := range []http.Header{
		{},
		offers(""), offers("a b"), offers("a\"b"), offers("a\\b"), offers("a\x00"), offers("a\x7f"), offers("ä"), offers("a\r\nb"),
		offers("a", "b"), offers(strings.Repeat("a", 1025)),
	} {
		if n.Learn(r, header) != "" || n.Of(r) != "good" {
			t.Errorf("%q is learned", header)
		}
	}
	for _, nonce := range []string{"!", "eyJ.a_b-c~", strings.Repeat("a", 1024)} {
		if n.Learn(r, offers(nonce)) != nonce || n.Of(r) != nonce {
			t.Errorf("%q is not learned", nonce)
		}
	}
}

// An application that calls hosts without end costs no memory without end. Those that are
// called again and again stay.
func TestNoncesAreBounded(t *testing.T) {
	t.Parallel()
	var n dpop.Nonces
	often := request(t, "GET", "https://often.test/")
	n.Learn(often, offers("kept"))
	n.Learn(request(t, "GET", "https://once.test/"), offers("dropped"))
	for i := range 2000 {
		n.Learn(request(t, "GET", fmt.Sprintf("https://host%d.test/", i)), offers("x"))
		if n.Of(often) != "kept" {
			t.Fatalf("forgotten after %d", i)
		}
	}
	known := 0
	for i := range 2000 {
		if n.Of(request(t, "GET", fmt.Sprintf("https://host%d.test/", i))) != "" {
			known++
		}
	}
	if known > 512 || known < 200 || n.Of(request(t, "GET", "https://once.test/")) != "" {
		t.Errorf("%d hosts are known", known)
	}
}

func TestNoncesAtTheSameTime(t *testing.T) {
	t.Parallel()
	var n dpop.Nonces
	var calls sync.WaitGroup
	for i := range 8 {
		r := request(t, "GET", fmt.Sprintf("https://host%d.test/", i%3))
		calls.Go(func() {
			for range 200 {
				n.Learn(r, offers("x"))
				n.Of(r)
			}
		})
	}
	calls.Wait()
}
