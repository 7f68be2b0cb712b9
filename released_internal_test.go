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

	"github.com/oauthlogin/oauthlogin/internal/flow"
	"github.com/oauthlogin/oauthlogin/internal/memory"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// TestReleasedFields reads a session and a pending login with all fields that a released
// version knows. A new field of a later version is not in its file.
func TestReleasedFields(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123)
	rec := (&record.Record{
		ID: memory.ID{1, 2, 3}, Provider: record.ProviderTag{4, 5}, Created: at, Written: at.Add(time.Minute),
		User: record.User{Subject: "alice", Name: "Alice", Email: "alice@example.com", EmailVerified: true, RawClaims: []byte(`{"sub":"alice"}`)},
		Tokens: record.Tokens{
			Access: "access", Type: "DPoP", Refresh: seal.NewToken("refresh"), ID: seal.NewToken("id"), Scope: "openid mail",
			Issued: at.Add(time.Second), Expiry: at.Add(time.Hour),
		},
		Extra: record.Extra{
			Issuer: "https://tenant.test", SID: "s-1", AppClaims: []byte(`{"role":"admin"}`), UserMark: memory.Mark{1, 9}, SIDMark: memory.Mark{2, 9},
			DeviceKey: bytes.Repeat([]byte{3}, 32), BoundAt: at.Add(time.Minute), Lineage: memory.ID{6, 7}, UserInfo: true, Asked: "mail calendar",
			FormName: "Alice A.", DPoPKey: bytes.Repeat([]byte{8}, 32), Settled: true,
		},
	}).As(7)
	random := func(b byte) string { return base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }
	login := &flow.Flow{
		Provider: record.ProviderTag{4, 5}, State: random(1), Verifier: random(2), Started: at, ReturnPath: "/dashboard?x=1",
		Want:   protocol.Authentication{Nonce: random(3), MaxAge: time.Hour, ACRValues: "phr phrh"},
		Silent: true, Again: true, Scopes: []string{"mail", "calendar"}, Params: url.Values{"login_hint": {"alice"}}, DPoPKey: bytes.Repeat([]byte{9}, 32),
	}
	if version := flag.Lookup("record-release").Value.String(); version != "" { // of TestReleases
		encode := base64.StdEncoding.EncodeToString
		text := encode(rec.Pack(rec.Written)) + "\n" + encode(login.Pack()) + "\n"
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
		if got, err := record.Unpack(packed[0]); err != nil || !bytes.Equal(got.Pack(got.Written), rec.Pack(rec.Written)) {
			t.Errorf("%s: session %+v, %v; want %+v", name, got, err, rec)
		}
		if got, err := flow.Unpack(packed[1]); err != nil || !reflect.DeepEqual(got, login) {
			t.Errorf("%s: login %+v, %v; want %+v", name, got, err, login)
		}
	}
}
