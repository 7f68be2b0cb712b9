package oauthlogin

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/device"
)

func newTestBindings(t *testing.T) *bindings {
	t.Helper()
	opts := &Options{BindDevices: true, Keys: [][]byte{bytes.Repeat([]byte{1, 2}, 16)}, MaxLifetime: time.Hour}
	b, err := newBindings(opts, cookies.NewScheme("app", true), &reporter{log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is sealed in a session holds, also where its binding has been forgotten since and
// another request has refreshed its tokens before the binding.
func TestBindingOfAForgottenSession(t *testing.T) {
	b, now := newTestBindings(t), time.Now()
	rec := sampleRecord()
	rec.extra.deviceKey, rec.extra.boundAt = bytes.Repeat([]byte{7}, 32), now.Add(-time.Hour)
	newer := *rec
	newer.generation++
	newer.extra.deviceKey = nil
	o := opened{record: rec, shown: &atomic.Pointer[shownCookie]{}}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if got, _ := b.admit(r, o, &newer, now); got != nil {
		t.Error("the session counts without its bound cookie")
	}
	key := device.Key{Thumbprint: [32]byte(rec.extra.deviceKey)}
	value, _, err := b.sealer.Cookie(&device.Binding{Session: device.Session{ID: rec.id}, Key: key}, now)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: b.cookies.Device, Value: value})
	got, reseal := b.admit(r, o, &newer, now)
	if got == nil || got.generation != newer.generation || !bytes.Equal(got.extra.deviceKey, rec.extra.deviceKey) || !reseal {
		t.Errorf("with it: %+v, sealed again: %t", got, reseal)
	}
}

// The clocks of instances may differ a little.
func TestGraceOfABinding(t *testing.T) {
	b, now := newTestBindings(t), time.Now()
	for after, want := range map[time.Duration]bool{-time.Hour: false, -time.Minute: false, -30 * time.Second: true, 0: true, 9 * time.Second: true, 10 * time.Second: false} {
		rec := sampleRecord()
		rec.extra.deviceKey, rec.extra.boundAt = bytes.Repeat([]byte{7}, 32), now
		got, reseal := b.admit(httptest.NewRequest(http.MethodGet, "/", nil), opened{record: rec, shown: &atomic.Pointer[shownCookie]{}}, rec, now.Add(after))
		if (got != nil) != want || reseal || got != nil && len(got.extra.deviceKey) > 0 {
			t.Errorf("%v after the binding: %+v, sealed again: %t", after, got, reseal)
		}
	}
}
