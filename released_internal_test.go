package oauthlogin

import (
	"bytes"
	"encoding/base64"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// TestReleasedFields reads a session and a pending login with all fields that a released
// version knows. A new field of a later version is not in its file.
func TestReleasedFields(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	rec := &record{
		id: memory.ID{1, 2, 3}, provider: providerTag{4, 5}, generation: 7, created: at, written: at.Add(time.Minute),
		user: User{Subject: "alice", Name: "Alice", Email: "alice@example.com", EmailVerified: true, RawClaims: []byte(`{"sub":"alice"}`)},
		tokens: tokens{
			access: "access", tokenType: "DPoP", refresh: seal.NewToken("refresh"), id: seal.NewToken("id"), scope: "openid mail",
			issued: at.Add(time.Second), expiry: at.Add(time.Hour),
		},
		extra: extra{
			issuer: "https://tenant.test", sid: "s-1", appClaims: []byte(`{"role":"admin"}`), userMark: memory.Mark{1, 9}, sidMark: memory.Mark{2, 9},
			deviceKey: bytes.Repeat([]byte{3}, 32), boundAt: at.Add(time.Minute), lineage: memory.ID{6, 7}, userInfo: true, asked: "mail calendar",
			formName: "Alice A.", dpopKey: bytes.Repeat([]byte{8}, 32), settled: true,
		},
	}
	random := func(b byte) string { return base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }
	login := &flow{
		provider: providerTag{4, 5}, state: random(1), verifier: random(2), started: at, returnPath: "/dashboard?x=1",
		want:   protocol.Authentication{Nonce: random(3), MaxAge: time.Hour, ACRValues: "phr phrh"},
		silent: true, again: true, scopes: []string{"mail", "calendar"}, params: url.Values{"login_hint": {"alice"}}, dpopKey: bytes.Repeat([]byte{9}, 32),
	}
	if version := flag.Lookup("record-release").Value.String(); version != "" { // of TestReleases
		encode := base64.StdEncoding.EncodeToString
		text := encode(rec.pack(rec.written)) + "\n" + encode(login.pack()) + "\n"
		if err := os.WriteFile(filepath.Join("testdata/releases", version+"-fields.txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob("testdata/releases/*-fields.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var packed [][]byte
		for line := range strings.Lines(string(text)) {
			value, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			packed = append(packed, value)
		}
		if len(packed) != 2 {
			t.Fatalf("%s has %d lines", name, len(packed))
		}
		if got, err := unpackRecord(packed[0]); err != nil || !reflect.DeepEqual(sameForm(got), sameForm(rec)) {
			t.Errorf("%s: session %+v, %v; want %+v", name, got, err, rec)
		}
		if got, err := unpackFlow(packed[1]); err != nil || !reflect.DeepEqual(got, login) {
			t.Errorf("%s: login %+v, %v; want %+v", name, got, err, login)
		}
	}
}
