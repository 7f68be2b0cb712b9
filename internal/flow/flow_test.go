package flow

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
)

func sampleFlow() *Flow {
	return &Flow{
		Provider: record.ProviderTag{1}, State: protocol.RandomToken(), Verifier: protocol.RandomToken(),
		Want:    protocol.Authentication{Nonce: protocol.RandomToken(), MaxAge: -1},
		Started: time.Unix(1_700_000_000, 0), ReturnPath: "/x",
	}
}

// sampleRecord is packed by the same rules, and is not a flow.
func sampleRecord() *record.Record {
	at := time.Unix(1_700_000_000, 0)
	return &record.Record{Created: at, User: record.User{Subject: "alice"}, Tokens: record.Tokens{Access: "access", Issued: at}}
}

func TestFlowsPackExactly(t *testing.T) {
	check := func(tag record.ProviderTag, returnPath, acrValues string, started uint32, maxAge int32, silent bool, scopes uint8) bool {
		f := sampleFlow()
		f.Provider, f.Started, f.ReturnPath, f.Silent = tag, time.Unix(int64(started), 0), returnPath, silent
		f.Want.ACRValues = acrValues
		for i := range scopes % 8 {
			f.Scopes = append(f.Scopes, fmt.Sprint("scope", i))
		}
		if scopes%2 == 0 {
			f.DPoPKey = bytes.Repeat([]byte{scopes}, dpop.SeedBytes)
		}
		if maxAge >= 0 {
			f.Want.MaxAge = time.Duration(maxAge) * time.Second
		}
		got, err := Unpack(f.Pack())
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
		f.Want.MaxAge = maxAge
		if got, err := Unpack(f.Pack()); err != nil || got.Want.MaxAge != maxAge {
			t.Errorf("max_age %v became %+v, %v", maxAge, got, err)
		}
	}
}

// A flow is sealed as version 2. The version before opens, and so does one with fields
// that a later version adds.
func TestMalformedFlowsDoNotUnpack(t *testing.T) {
	f := sampleFlow()
	packed := f.Pack()
	if packed[0] != 2 {
		t.Errorf("version %d", packed[0])
	}
	for version := range 256 {
		packed[0] = byte(version)
		if got, err := Unpack(packed); (err == nil) != (version == 1 || version == 2) || err == nil && !reflect.DeepEqual(got, f) {
			t.Errorf("version %d: %+v, %v", version, got, err)
		}
	}
	packed[0] = 2
	for n := range packed {
		if _, err := Unpack(packed[:n]); err == nil {
			t.Errorf("%d of %d bytes unpacked", n, len(packed))
		}
	}
	if got, err := Unpack(append(bytes.Clone(packed), 99, 1, 'x')); err != nil || !reflect.DeepEqual(got, f) {
		t.Errorf("with a field of a later version: %+v, %v", got, err)
	}
	tooOld := sampleFlow()
	tooOld.Want.MaxAge = (math.MaxInt32 + 1) * time.Second
	for name, packed := range map[string][]byte{
		"a byte past the end": append(bytes.Clone(packed), 0), "a record": sampleRecord().Pack(time.Unix(1_700_000_000, 0)), "a bomb": bomb(4<<20, 100),
		"a max_age past the limit": tooOld.Pack(), "a short key": append(bytes.Clone(packed), tagFlowKey, 1, 'x'),
	} {
		if got, err := Unpack(packed); err == nil {
			t.Errorf("%s unpacked: %+v", name, got)
		}
	}
}

func FuzzUnpackFlow(f *testing.F) {
	f.Add(sampleFlow().Pack())
	f.Add(sampleRecord().Pack(time.Unix(1_700_000_000, 0)))
	f.Add(bomb(1<<20, 1<<20))
	silent, stepUp := sampleFlow(), sampleFlow()
	silent.Silent, silent.ReturnPath = true, "/"+strings.Repeat("a", 1023)
	stepUp.Want.MaxAge, stepUp.Want.ACRValues = 0, "phr phrh"
	f.Add(silent.Pack())
	f.Add(append(stepUp.Pack(), 99, 1, 'x'))
	stepUp.Params = url.Values{"prompt": {"select_account"}, "login_hint": {"alice@example.com", "&="}}
	f.Add(stepUp.Pack())
	f.Add(append(sampleFlow().Pack(), tagParams, 1, '&'))
	f.Fuzz(func(t *testing.T, packed []byte) {
		flow, err := Unpack(packed)
		if err != nil {
			return
		}
		again, err := Unpack(flow.Pack())
		if err != nil {
			t.Fatal(err)
		}
		if !ordinaryTime(flow.Started) {
			again.Started = flow.Started
		}
		if !reflect.DeepEqual(again, flow) {
			t.Errorf("%+v became %+v", flow, again)
		}
		if maxAge := flow.Want.MaxAge; maxAge != -1 && (maxAge < 0 || maxAge > math.MaxInt32*time.Second) {
			t.Errorf("max_age %v", maxAge)
		}
		flow.Expired(time.Now())
	})
}

// ordinaryTime reports whether all times are of this age, to the millisecond, or
// zero.
func ordinaryTime(times ...time.Time) bool {
	return !slices.ContainsFunc(times, func(t time.Time) bool {
		return !t.IsZero() && (t.Before(time.UnixMilli(0)) || t.After(time.UnixMilli(1<<42)) || t.Nanosecond()%1e6 > 0)
	})
}

// bomb is n zero bytes, deflated, that claim to be size.
func bomb(n int, size uint64) []byte {
	var b bytes.Buffer
	b.Write(binary.AppendUvarint([]byte{2}, size))
	b.WriteByte(0) // nothing random
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(make([]byte, n))
	w.Close()
	return b.Bytes()
}
