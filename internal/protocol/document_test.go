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

// after waits in a synctest bubble, also for reads in the background.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// tokenURL returns where the token endpoint is taken to be.
func tokenURL(t *testing.T, c *Client) string {
	t.Helper()
	md, err := c.metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return md.TokenURL
}

// Metadata that is a day old is read again in the background, by a use and not by
// a timer.
func TestMetadataIsReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		c := p.client()
		if got := tokenURL(t, c); got != testIssuer+"/token" {
			t.Fatal(got)
		}
		p.edit(func() { p.doc["token_endpoint"] = testIssuer + "/token2" })
		after(maxAge - 1)
		if tokenURL(t, c); p.count(metadataPath) != 1 {
			t.Error("read again before it was due")
		}
		after(1)
		if p.count(metadataPath) != 1 {
			t.Error("read again without a use")
		}
		p.slow(metadataPath, time.Second)
		start := time.Now()
		for range 10 {
			if got := tokenURL(t, c); got != testIssuer+"/token" {
				t.Errorf("meanwhile: %s", got)
			}
		}
		if time.Since(start) > 0 {
			t.Error("a use waited")
		}
		after(time.Second)
		if got := tokenURL(t, c); got != testIssuer+"/token2" || p.count(metadataPath) != 2 {
			t.Errorf("then: %s, read %d times", got, p.count(metadataPath))
		}
	})
}

// From 25 hours on, a use waits, and all share one read.
func TestOverdueMetadata(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		c := p.client()
		tokenURL(t, c)
		p.edit(func() { p.doc["token_endpoint"] = testIssuer + "/token2" })
		p.slow(metadataPath, time.Second)
		after(maxWait)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if got := tokenURL(t, c); got != testIssuer+"/token2" {
					t.Errorf("endpoint is %s", got)
				}
			})
		}
		wg.Wait()
		if n := p.count(metadataPath); n != 2 {
			t.Errorf("read %d times", n)
		}
	})
}

// A read in the background that has not ended when the document is overdue is
// waited for.
func TestOverdueDuringBackgroundRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		c := p.client()
		tokenURL(t, c)
		p.edit(func() { p.doc["token_endpoint"] = testIssuer + "/token2" })
		p.slow(metadataPath, 4*time.Second)
		time.Sleep(maxWait - time.Second)
		tokenURL(t, c)
		time.Sleep(2 * time.Second)
		if got := tokenURL(t, c); got != testIssuer+"/token2" || p.count(metadataPath) != 2 {
			t.Errorf("endpoint is %s after %d reads", got, p.count(metadataPath))
		}
	})
}

// Old metadata lasts through an outage, which is logged, and costs a request in a
// minute and a wait at that.
func TestMetadataOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		c := p.client()
		tokenURL(t, c)
		p.down(metadataPath)
		after(maxAge)
		for range 600 { // ten minutes
			tokenURL(t, c)
			after(time.Second)
		}
		if n := p.count(metadataPath); n != 1+10 {
			t.Errorf("read %d times", n)
		}
		if log := p.logged(); strings.Count(log, "document=metadata") != 10 || !strings.Contains(log, "connection refused") {
			t.Errorf("log: %s", log)
		}
		after(30 * 24 * time.Hour)
		for range 120 {
			tokenURL(t, c)
			after(time.Second)
		}
		if n := p.count(metadataPath); n != 1+10+2 {
			t.Errorf("read %d times", n)
		}
		p.up(metadataPath)
		p.edit(func() { p.doc["token_endpoint"] = testIssuer + "/token2" })
		after(readAgainPause)
		if got := tokenURL(t, c); got != testIssuer+"/token2" {
			t.Errorf("after the outage: %s", got)
		}
	})
}

// A failure shortly before 25 hours are over does not delay the read after them.
func TestOverdueAfterFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		c := p.client()
		tokenURL(t, c)
		p.down(metadataPath)
		after(maxWait - time.Second)
		tokenURL(t, c)
		after(time.Second)
		p.up(metadataPath)
		p.edit(func() { p.doc["token_endpoint"] = testIssuer + "/token2" })
		if got := tokenURL(t, c); got != testIssuer+"/token2" {
			t.Errorf("endpoint is %s", got)
		}
	})
}

// Metadata that turns bad is not used.
func TestMetadataTurnsBad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		c := p.client()
		tokenURL(t, c)
		p.edit(func() { p.doc["issuer"], p.doc["token_endpoint"] = "https://evil.test", "https://evil.test/token" })
		after(maxWait)
		if got := tokenURL(t, c); got != testIssuer+"/token" || !strings.Contains(p.logged(), "issuer mismatch") {
			t.Errorf("endpoint is %s; log: %s", got, p.logged())
		}
	})
}

func TestCacheControl(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"": maxAge, "no-store": maxAge, "max-age": maxAge, "max-age=x": maxAge, "max-age=-5": maxAge, "s-maxage=600": maxAge,
		"max-age=3600": time.Hour, "public, MAX-AGE=3600, must-revalidate": time.Hour, `max-age="3600"`: time.Hour,
		"max-age=0": minAge, "max-age=299": minAge, "max-age=301": 301 * time.Second, "max-age=99999999": maxAge, "max-age=99999999999999999999": maxAge,
	} {
		t.Run(value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFakeProvider()
				p.header.Set("Cache-Control", value)
				c := p.client()
				tokenURL(t, c)
				after(want - 1)
				tokenURL(t, c)
				if after(0); p.count(metadataPath) != 1 {
					t.Error("read again before it was due")
				}
				after(1)
				tokenURL(t, c)
				if after(0); p.count(metadataPath) != 2 {
					t.Error("not read again")
				}
			})
		})
	}
}

// The client that started a read may hang up: the others get their metadata.
func TestHangUpDuringRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		p.slow(metadataPath, 2*time.Second)
		c := p.client()
		first, hangUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := c.ready(first); !errors.Is(err, context.Canceled) || !Unavailable(err) {
				t.Errorf("the one that hung up got %v", err)
			}
		})
		time.Sleep(time.Second)
		wg.Go(func() {
			if err := c.ready(t.Context()); err != nil {
				t.Error(err)
			}
		})
		hangUp()
		wg.Wait()
		if n := p.count(metadataPath); n != 1 {
			t.Errorf("read %d times", n)
		}
	})
}

// A key that the provider removes stops working within 25 hours.
func TestRemovedKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		old, kept := newSigner(t, "old", "ES256"), newSigner(t, "kept", "ES256")
		p.jwks = []any{old.jwk(), kept.jwk()}
		c := p.client()
		for _, s := range []*signer{old, kept} {
			if err := verify(c, s.idToken(nil)); err != nil {
				t.Fatal(err)
			}
		}
		p.edit(func() { p.jwks = []any{kept.jwk()} })
		after(maxWait)
		if err := verify(c, old.idToken(nil)); !errors.Is(err, errSignature) {
			t.Errorf("removed key: %v", err)
		}
		if err := verify(c, kept.idToken(nil)); err != nil || p.count(keysPath) != 2 {
			t.Errorf("kept key: %v after %d reads", err, p.count(keysPath))
		}
	})
}

// Keys in use last through an outage, however long it takes, and through a set
// without a usable key.
func TestKeysOutage(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]http.HandlerFunc{
		"down":          func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(599) },
		"an empty set":  func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"keys":[]}`)) },
		"unusable keys": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newFakeProvider()
				s := newSigner(t, "k", "ES256")
				p.jwks = []any{s.jwk()}
				c := p.client()
				if err := verify(c, s.idToken(nil)); err != nil {
					t.Fatal(err)
				}
				p.edit(func() { p.says[keysPath] = say })
				for _, d := range []time.Duration{maxAge, time.Hour, 30 * 24 * time.Hour} {
					after(d)
					if err := verify(c, s.idToken(nil)); err != nil {
						t.Errorf("%v later: %v", d, err)
					}
				}
				after(0)
				if !strings.Contains(p.logged(), "document=keys") {
					t.Errorf("log: %s", p.logged())
				}
			})
		})
	}
}

// jwks_uri may move: the keys at the new place are the only ones, unless they
// cannot be read.
func TestKeysMove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newFakeProvider()
		old, moved := newSigner(t, "k", "ES256"), newSigner(t, "k", "ES256")
		p.jwks = []any{old.jwk()}
		c := p.client()
		tokenURL(t, c)
		after(maxAge - time.Hour)
		if err := verify(c, old.idToken(nil)); err != nil { // reads the keys
			t.Fatal(err)
		}
		p.edit(func() { p.doc["jwks_uri"], p.jwks = testIssuer+"/moved", []any{moved.jwk()} })
		p.down("/moved")
		after(time.Hour)
		tokenURL(t, c) // reads the metadata
		after(0)
		for range 5 {
			if err := verify(c, old.idToken(nil)); err != nil {
				t.Errorf("while the new place is down: %v", err)
			}
			after(time.Second)
		}
		if n := p.count("/moved"); n != 1 {
			t.Errorf("asked %d times", n)
		}
		p.up("/moved")
		after(readAgainPause)
		if err := verify(c, old.idToken(nil)); !errors.Is(err, errSignature) {
			t.Errorf("the old key: %v", err)
		}
		if err := verify(c, moved.idToken(nil)); err != nil || p.count("/moved") != 2 {
			t.Errorf("the new key: %v after %d requests", err, p.count("/moved"))
		}
	})
}

// Uses that come late: with an edition that another has replaced, or for a read that
// has just ended.
func TestLateUses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c, _ := rotated(t)
		asked, err := c.keys.read(t.Context(), 1, idTokens)
		if err != nil || asked.seq != 2 {
			t.Fatal(asked.seq, err)
		}
		if c.keys.mayAsk(idTokens) {
			t.Error("the next ask need not wait")
		}
		if again, err := c.keys.read(t.Context(), 1, idTokens); err != nil || again.seq != 2 {
			t.Errorf("read again: %d, %v", again.seq, err)
		}
	})
}
