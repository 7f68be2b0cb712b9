package oauthlogin

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/quick"
	"testing/synctest"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
)

func sampleFlow() *flow {
	return &flow{
		provider: providerTag{1}, state: protocol.RandomToken(), verifier: protocol.RandomToken(),
		want:    protocol.Authentication{Nonce: protocol.RandomToken(), MaxAge: -1},
		started: time.Unix(1_700_000_000, 0), returnPath: "/x",
	}
}

func TestFlowsPackExactly(t *testing.T) {
	check := func(tag providerTag, returnPath, acrValues string, started uint32, maxAge int32, silent bool, scopes uint8) bool {
		f := sampleFlow()
		f.provider, f.started, f.returnPath, f.silent = tag, time.Unix(int64(started), 0), returnPath, silent
		f.want.ACRValues = acrValues
		for i := range scopes % 8 {
			f.scopes = append(f.scopes, fmt.Sprint("scope", i))
		}
		if scopes%2 == 0 {
			f.dpopKey = bytes.Repeat([]byte{scopes}, dpop.SeedBytes)
		}
		if maxAge >= 0 {
			f.want.MaxAge = time.Duration(maxAge) * time.Second
		}
		got, err := unpackFlow(f.pack())
		if err != nil || !reflect.DeepEqual(got, f) {
			t.Errorf("%+v became %+v, %v", f, got, err)
			return false
		}
		return true
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
	for _, maxAge := range []time.Duration{-1, 0, time.Second, math.MaxInt32 * time.Second} {
		f := sampleFlow()
		f.want.MaxAge = maxAge
		if got, err := unpackFlow(f.pack()); err != nil || got.want.MaxAge != maxAge {
			t.Errorf("max_age %v became %+v, %v", maxAge, got, err)
		}
	}
}

// A flow is sealed as version 2. The version before opens, and so does one with fields
// that a later version adds.
func TestMalformedFlowsDoNotUnpack(t *testing.T) {
	f := sampleFlow()
	packed := f.pack()
	if packed[0] != 2 {
		t.Errorf("version %d", packed[0])
	}
	for version := range 256 {
		packed[0] = byte(version)
		if got, err := unpackFlow(packed); (err == nil) != (version == 1 || version == 2) || err == nil && !reflect.DeepEqual(got, f) {
			t.Errorf("version %d: %+v, %v", version, got, err)
		}
	}
	packed[0] = 2
	for n := range packed {
		if _, err := unpackFlow(packed[:n]); err == nil {
			t.Errorf("%d of %d bytes unpacked", n, len(packed))
		}
	}
	if got, err := unpackFlow(append(bytes.Clone(packed), 99, 1, 'x')); err != nil || !reflect.DeepEqual(got, f) {
		t.Errorf("with a field of a later version: %+v, %v", got, err)
	}
	tooOld := sampleFlow()
	tooOld.want.MaxAge = (math.MaxInt32 + 1) * time.Second
	for name, packed := range map[string][]byte{
		"a byte past the end": append(bytes.Clone(packed), 0), "a record": smallRecord().pack(time.Unix(1_700_000_000, 0)), "a bomb": bomb(4<<20, 100),
		"a max_age past the limit": tooOld.pack(), "a short key": append(bytes.Clone(packed), tagFlowKey, 1, 'x'),
	} {
		if got, err := unpackFlow(packed); err == nil {
			t.Errorf("%s unpacked: %+v", name, got)
		}
	}
}

// What the version before sealed opens to what it was.
func TestFrozenFlows(t *testing.T) {
	m := frozenMiddleware(t)
	values := readFrozen(t)
	random := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat(s, 32))) }
	f := &flow{
		provider: m.providers[0].tag, state: random("s"), verifier: random("v"),
		want:    protocol.Authentication{Nonce: random("n"), MaxAge: time.Hour, ACRValues: "phr phrh"},
		started: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Local(), returnPath: "/dashboard?x=1",
	}
	name := m.flows.cookieName(f.state)
	if got := m.flows.open(name, values["flow"]); !reflect.DeepEqual(got, f) {
		t.Errorf("%+v, want %+v", got, f)
	}
	f.want.MaxAge, f.want.ACRValues, f.silent = -1, "", true
	if got := m.flows.open(name, values["silentflow"]); !reflect.DeepEqual(got, f) {
		t.Errorf("silent: %+v, want %+v", got, f)
	}
	synctest.Test(t, func(t *testing.T) {
		r := &http.Request{Header: http.Header{"Cookie": {m.cookies.Rounds + "=" + values["rounds"]}}}
		if n := m.flows.rounds(r); n != 3 {
			t.Errorf("%d rounds", n)
		}
		time.Sleep(roundsAge + 1)
		if n := m.flows.rounds(r); n != 0 {
			t.Errorf("%d rounds a minute later", n)
		}
	})
}

func FuzzUnpackFlow(f *testing.F) {
	f.Add(sampleFlow().pack())
	f.Add(smallRecord().pack(time.Unix(1_700_000_000, 0)))
	f.Add(bomb(1<<20, 1<<20))
	silent, stepUp := sampleFlow(), sampleFlow()
	silent.silent, silent.returnPath = true, "/"+strings.Repeat("a", 1023)
	stepUp.want.MaxAge, stepUp.want.ACRValues = 0, "phr phrh"
	f.Add(silent.pack())
	f.Add(append(stepUp.pack(), 99, 1, 'x'))
	stepUp.params = url.Values{"prompt": {"select_account"}, "login_hint": {"alice@example.com", "&="}}
	f.Add(stepUp.pack())
	f.Add(append(sampleFlow().pack(), tagParams, 1, '&'))
	f.Fuzz(func(t *testing.T, packed []byte) {
		flow, err := unpackFlow(packed)
		if err != nil {
			return
		}
		again, err := unpackFlow(flow.pack())
		if err != nil {
			t.Fatal(err)
		}
		if !ordinaryTime(flow.started) {
			again.started = flow.started
		}
		if !reflect.DeepEqual(again, flow) {
			t.Errorf("%+v became %+v", flow, again)
		}
		if maxAge := flow.want.MaxAge; maxAge != -1 && (maxAge < 0 || maxAge > math.MaxInt32*time.Second) {
			t.Errorf("max_age %v", maxAge)
		}
		flow.expired(time.Now())
	})
}
