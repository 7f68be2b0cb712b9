package protocol

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// rotated is a client whose provider has the key of a signer, and has verified
// a token of it.
func rotated(t *testing.T) (*fakeProvider, *Client, *signer) {
	t.Helper()
	p := newFakeProvider()
	s := newSigner(t, "k0", "ES256")
	p.jwks = []any{s.jwk()}
	c := p.client()
	if err := verify(c, s.idToken(nil)); err != nil {
		t.Fatal(err)
	}
	return p, c, s
}

// rotate has the provider publish another key.
func (p *fakeProvider) rotate(t *testing.T, kid string) *signer {
	t.Helper()
	s := newSigner(t, kid, "ES256")
	p.edit(func() { p.jwks = []any{s.jwk()} })
	return s
}

// wantKeys fails the test unless the keys were read n times.
func (p *fakeProvider) wantKeys(t *testing.T, what string, n int) {
	t.Helper()
	if got := p.count(keysPath); got != n {
		t.Errorf("%s: keys were read %d times, want %d", what, got, n)
	}
}

// OpenID Connect Core section 10.1.1: rotations that tokens prove are followed at
// once, however fast they come, also when a key ID stays the same.
func TestRotations(t *testing.T) {
	t.Parallel()
	for name, kid := range map[string]func(n int) string{
		"with new IDs":     func(n int) string { return "k" + string(rune('1'+n)) },
		"with the same ID": func(int) string { return "k0" },
		"without IDs":      func(int) string { return "" },
		"of the ID alone":  func(n int) string { return "same key " + string(rune('1'+n)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, c, first := rotated(t)
				for n := range 5 {
					after(askPause) // two rotations within a minute lock no user out
					s := p.rotate(t, kid(n))
					if name == "of the ID alone" {
						s.key = first.key
						p.edit(func() { p.jwks = []any{s.jwk()} })
					}
					for range 2 {
						if err := verify(c, s.idToken(nil)); err != nil {
							t.Errorf("rotation %d: %v", n, err)
						}
					}
					p.wantKeys(t, "rotation", 2+n)
				}
			})
		})
	}
}

// Tokens that no key verifies cost one request in 30 seconds, in a row or in
// parallel, and good logins neither fail nor wait.
func TestJunkTokens(t *testing.T) {
	t.Parallel()
	for name, junk := range map[string]func(t *testing.T, good *signer) *signer{
		"unknown kid": func(t *testing.T, _ *signer) *signer { return newSigner(t, "junk", "ES256") },
		"wrong key":   func(t *testing.T, good *signer) *signer { return newSigner(t, good.kid, "ES256") },
		"no kid":      func(t *testing.T, _ *signer) *signer { return newSigner(t, "", "ES256") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, c, good := rotated(t)
				bad := junk(t, good)
				p.slow(keysPath, time.Second)
				var wg sync.WaitGroup
				for range 20 {
					wg.Go(func() {
						if err := verify(c, bad.idToken(nil)); !errors.Is(err, errSignature) || KeysUnavailable(err) || Unavailable(err) {
							t.Errorf("junk: %v", err)
						}
					})
					wg.Go(func() {
						start := time.Now()
						if err := verify(c, good.idToken(nil)); err != nil || time.Since(start) > 0 {
							t.Errorf("good: %v after %v", err, time.Since(start))
						}
					})
				}
				wg.Wait()
				p.wantKeys(t, "in parallel", 2)
				p.up(keysPath)
				for range 29 {
					for range 5 {
						if err := verify(c, bad.idToken(nil)); !errors.Is(err, errSignature) {
							t.Errorf("junk: %v", err)
						}
						if err := verify(c, good.idToken(nil)); err != nil {
							t.Errorf("good: %v", err)
						}
					}
					after(time.Second)
				}
				p.wantKeys(t, "within 30 seconds", 2)
				after(time.Second)
				verify(c, bad.idToken(nil))
				verify(c, bad.idToken(nil))
				p.wantKeys(t, "after 30 seconds", 3)
			})
		})
	}
}

// A first read that brings no key for its token is not repeated for it, and does
// not count: a rotation right after it is followed.
func TestFirstReadDoesNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		p.rotate(t, "k0")
		c := p.client()
		if err := verify(c, newSigner(t, "junk", "ES512").idToken(nil)); err == nil || p.count(metadataPath) != 1 {
			t.Errorf("algorithm: %v after %d reads", err, p.count(metadataPath))
		}
		if err := verify(c, newSigner(t, "junk", "ES256").idToken(nil)); !errors.Is(err, errSignature) {
			t.Error(err)
		}
		p.wantKeys(t, "first", 1)
		if err := verify(c, p.rotate(t, "k1").idToken(nil)); err != nil {
			t.Error(err)
		}
		p.wantKeys(t, "rotation", 2)
	})
}

// A rotation soon after another read out of turn is noticed when 30 seconds have
// passed since that one, whether it helped or was caused by junk.
func TestRotationAfterJunk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, c, _ := rotated(t)
		junk := newSigner(t, "junk", "ES256")
		verify(c, junk.idToken(nil))
		s := p.rotate(t, "k1")
		if err := verify(c, s.idToken(nil)); !errors.Is(err, errSignature) {
			t.Errorf("during the pause: %v", err)
		}
		after(askPause)
		// Junk asks, and brings the new key.
		verify(c, junk.idToken(nil))
		if err := verify(c, s.idToken(nil)); err != nil {
			t.Error(err)
		}
		s = p.rotate(t, "k2")
		if err := verify(c, s.idToken(nil)); !errors.Is(err, errSignature) {
			t.Errorf("during the next pause: %v", err)
		}
		after(askPause)
		if err := verify(c, s.idToken(nil)); err != nil {
			t.Error(err)
		}
		p.wantKeys(t, "all", 4)
	})
}

// A client that hangs up while its ask is under way does not spoil the next one.
func TestHangUpDuringAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, c, _ := rotated(t)
		s := p.rotate(t, "k1")
		p.slow(keysPath, 2*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := c.VerifyIDToken(ctx, s.idToken(nil), ""); !KeysUnavailable(err) || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		after(time.Second)
		if err := verify(c, s.idToken(nil)); err != nil {
			t.Error(err)
		}
		p.wantKeys(t, "all", 2)
	})
}

// A token that joins a read that began before it is issued gets one of its own.
func TestRotationDuringAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		s := p.rotate(t, "k0")
		body := `{"keys":[` + string(mustJSON(s.jwk())) + `]}` // as of when the read began
		p.edit(func() {
			p.says[keysPath] = func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(2 * time.Second)
				w.Write([]byte(body))
			}
		})
		c := p.client()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := verify(c, s.idToken(nil)); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Second)
		s2 := p.rotate(t, "k1")
		p.up(keysPath)
		wg.Go(func() {
			if err := verify(c, s2.idToken(nil)); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		p.wantKeys(t, "all", 2)
	})
}

// Keys that cannot be had are the provider's fault and say nothing about the token. A
// read that fails does not start a pause. A set without usable keys is a wrong
// response, and not an outage.
func TestKeysUnavailable(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(http.ResponseWriter){
		"down": func(w http.ResponseWriter) { w.WriteHeader(599) },
		"204":  func(w http.ResponseWriter) { w.WriteHeader(204) },
		"500":  func(w http.ResponseWriter) { w.WriteHeader(500); w.Write([]byte("hostile")) },
		"404":  func(w http.ResponseWriter) { w.WriteHeader(404); w.Write([]byte("hostile")) },
		"302": func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://evil.test/hostile")
			w.WriteHeader(302)
		},
		"307": func(w http.ResponseWriter) {
			w.Header().Set("Location", "/jwks")
			w.WriteHeader(307)
		},
		"nothing":       func(http.ResponseWriter) {},
		"half a set":    func(w http.ResponseWriter) { w.Write([]byte(`{"keys":[{"kty":"hostile`)) },
		"a list":        func(w http.ResponseWriter) { w.Write([]byte(`[{"hostile":"hostile"}]`)) },
		"a page":        func(w http.ResponseWriter) { w.Write([]byte("<html>hostile")) },
		"no keys":       func(w http.ResponseWriter) { w.Write([]byte(`{"hostile":[]}`)) },
		"an empty set":  func(w http.ResponseWriter) { w.Write([]byte(`{"keys":[]}`)) },
		"no usable key": func(w http.ResponseWriter) { w.Write([]byte(`{"keys":[{"kty":"hostile"}]}`)) },
		"2 MiB": func(w http.ResponseWriter) {
			w.Write([]byte(`{"keys":[],"hostile":"` + strings.Repeat("a", 2<<20) + `"}`))
		},
		"a panic at work": func(http.ResponseWriter) { panic("hostile") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				unavailable := func(what string, c *Client, s *signer) {
					t.Helper()
					for range 2 {
						err := verify(c, s.idToken(nil))
						if !KeysUnavailable(err) || Unavailable(err) == errors.Is(err, errNoUsableKey) || !strings.HasPrefix(err.Error(), "fetch keys: ") || strings.Contains(strings.Split(err.Error(), "\n")[0], "hostile") {
							t.Errorf("%s: %v", what, err)
						}
					}
				}
				p := newFakeProvider()
				s := p.rotate(t, "k0")
				p.says[keysPath] = func(w http.ResponseWriter, _ *http.Request) { say(w) }
				c := p.client()
				unavailable("at first", c, s)
				p.wantKeys(t, "at first", 2)
				p.up(keysPath)
				if err := verify(c, s.idToken(nil)); err != nil {
					t.Error(err)
				}
				p.edit(func() { p.says[keysPath] = func(w http.ResponseWriter, _ *http.Request) { say(w) } })
				s2 := p.rotate(t, "k1")
				unavailable("after a rotation", c, s2)
				if err := verify(c, s.idToken(nil)); err != nil {
					t.Errorf("the key that is known: %v", err)
				}
				p.up(keysPath)
				if err := verify(c, s2.idToken(nil)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// RS256 becomes ES256 while the client runs, at once, and junk costs one request
// for metadata in 30 seconds.
func TestAlgorithmChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		p.doc["id_token_signing_alg_values_supported"] = []string{"RS256"}
		before, now := newSigner(t, "r", "RS256"), newSigner(t, "e", "ES256")
		p.jwks = []any{before.jwk(), now.jwk()}
		c := p.client()
		if err := verify(c, before.idToken(nil)); err != nil {
			t.Fatal(err)
		}
		asked := func(what string, n int) {
			t.Helper()
			if got := p.count(metadataPath); got != n {
				t.Errorf("%s: metadata was read %d times, want %d", what, got, n)
			}
		}
		for range 20 {
			if err := verify(c, now.idToken(nil)); err == nil || Unavailable(err) {
				t.Errorf("not listed: %v", err)
			}
		}
		asked("not listed", 2)
		after(askPause)
		p.edit(func() { p.doc["id_token_signing_alg_values_supported"] = []string{"ES256"} })
		if err := verify(c, now.idToken(nil)); err != nil {
			t.Error(err)
		}
		asked("listed", 3)
		after(askPause)
		if err := verify(c, before.idToken(nil)); err == nil {
			t.Error("RS256 is not listed any more")
		}
		asked("no longer listed", 4)
		after(askPause)
		p.down(metadataPath)
		if err := verify(c, before.idToken(nil)); !KeysUnavailable(err) {
			t.Errorf("metadata is down: %v", err)
		}
		if err := verify(c, now.idToken(nil)); err != nil {
			t.Errorf("metadata is down: %v", err)
		}
		// Algorithms that are never accepted are not worth a question.
		n := p.count(metadataPath)
		for _, alg := range []string{"HS256", "none", "", "RS1", "hostile"} {
			verify(c, now.idToken(func(header, _ object) { header["alg"] = alg }))
		}
		asked("never accepted", n)
	})
}
