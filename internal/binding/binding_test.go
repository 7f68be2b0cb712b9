package binding

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/cookies"
	"github.com/oauthlogin/oauthlogin/internal/device"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

// unheard is an application that hears of nothing.
type unheard struct{}

func (unheard) DeviceBound(context.Context, *record.Record) {}

func (unheard) DeviceMissing(context.Context, *record.Record, error) {}

func (unheard) DeviceRefused(context.Context, *record.Record, error) {}

func newTestBindings(t *testing.T) *Bindings {
	t.Helper()
	b, err := New([][]byte{bytes.Repeat([]byte{1, 2}, 16)}, cookies.NewScheme("app", true), "/login/device", time.Hour, unheard{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is sealed in a session holds, also where its binding has been forgotten since and
// another request has refreshed its tokens before the binding.
func TestBindingOfAForgottenSession(t *testing.T) {
	b, now := newTestBindings(t), time.Now()
	rec := &record.Record{ID: memory.ID{1}, Created: now}
	rec.Extra.DeviceKey, rec.Extra.BoundAt = bytes.Repeat([]byte{7}, 32), now.Add(-time.Hour)
	newer := rec.Next()
	newer.Extra.DeviceKey = nil
	seen := &Shown{}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if got, _ := b.Admit(r, rec, seen, newer, now); got != nil {
		t.Error("the session counts without its bound cookie")
	}
	key := device.Key{Thumbprint: [32]byte(rec.Extra.DeviceKey)}
	value, _, err := b.sealer.Cookie(&device.Binding{Session: device.Session{ID: rec.ID}, Key: key}, now)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: b.cookies.Device, Value: value})
	got, reseal := b.Admit(r, rec, seen, newer, now)
	if got == nil || got.Generation() != newer.Generation() || !bytes.Equal(got.Extra.DeviceKey, rec.Extra.DeviceKey) || !reseal {
		t.Errorf("with it: %+v, sealed again: %t", got, reseal)
	}
}

// The clocks of instances may differ a little.
func TestGraceOfABinding(t *testing.T) {
	b, now := newTestBindings(t), time.Now()
	for after, want := range map[time.Duration]bool{-time.Hour: false, -time.Minute: false, -30 * time.Second: true, 0: true, 9 * time.Second: true, 10 * time.Second: false} {
		rec := &record.Record{ID: memory.ID{1}, Created: now}
		rec.Extra.DeviceKey, rec.Extra.BoundAt = bytes.Repeat([]byte{7}, 32), now
		got, reseal := b.Admit(httptest.NewRequest(http.MethodGet, "/", nil), rec, &Shown{}, rec, now.Add(after))
		if (got != nil) != want || reseal || got != nil && len(got.Extra.DeviceKey) > 0 {
			t.Errorf("%v after the binding: %+v, sealed again: %t", after, got, reseal)
		}
	}
}
