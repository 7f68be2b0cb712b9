// Package flow keeps pending logins, each sealed in a cookie of its own. It seals in URLs what a
// login is to ask for, remembers the states that came back, and counts logins in a row.
package flow

import (
	"bytes"
	"encoding/base64"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
	"github.com/oauthlogin/oauthlogin/internal/protocol"
	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// A Flow is one pending login. All that is known of it is sealed in a cookie of its
// own; the server keeps nothing.
type Flow struct {
	Provider        record.ProviderTag
	State, Verifier string
	Want            protocol.Authentication // that the ID token has to show
	Started         time.Time
	ReturnPath      string
	Silent          bool       // the user did not ask for it: see Middleware.SilentLogin
	Again           bool       // it follows one that took too long
	Scopes          []string   // that it requests beside Provider.OAuth2.Scopes
	Params          url.Values // beside Provider.AuthParams, unless they are too long
	DPoPKey         []byte     // that its code is bound to; nil: none
}

// Wanted is what a login is for.
type Wanted struct {
	ReturnPath string
	Scopes     []string   // beside Provider.OAuth2.Scopes
	Params     url.Values // beside Provider.AuthParams
}

// A Kind says what begins a login.
type Kind int

const (
	Asked     Kind = iota // the user, or a page that needs a session
	Silent                // Middleware.SilentLogin
	Restarted             // a login that took too long
)

// The tags of a Flow's optional fields. They are part of the format: none is ever
// reused.
const (
	tagAgain  = iota + 1
	tagScopes // separated by spaces
	tagParams // as a query

	tagFlowKey = 12 // as in a record
)

// maxParams bounds the parameters that a login keeps, in bytes of a query: a flow cookie
// has to leave room for others.
const maxParams = 512

// New returns the flow of an authorization request.
func New(provider record.ProviderTag, request *protocol.AuthorizationRequest, want Wanted, kind Kind) *Flow {
	f := &Flow{
		Provider: provider, State: request.State, Verifier: request.Verifier, Want: request.Want,
		Started: time.Now(), ReturnPath: want.ReturnPath, Silent: kind == Silent, Again: kind == Restarted, Scopes: record.Union(nil, want.Scopes),
		DPoPKey: request.Key.Seed(),
	}
	if kind != Silent && len(want.Params.Encode()) <= maxParams {
		f.Params = want.Params
	}
	return f
}

// Expired reports whether a login took too long.
func (f *Flow) Expired(now time.Time) bool { return !now.Before(f.Started.Add(lifetime)) }

// Pack returns what is sealed of a flow.
func (f *Flow) Pack() []byte {
	p := seal.NewPacker()
	p.Raw(f.Provider[:])
	for _, random := range []string{f.State, f.Want.Nonce, f.Verifier} {
		b, _ := base64.RawURLEncoding.DecodeString(random) // protocol.RandomToken made it
		p.Bytes(b)
	}
	p.Time(f.Started)
	p.String(f.ReturnPath)
	p.Bool(f.Want.MaxAge >= 0)
	p.Uint(uint64(max(f.Want.MaxAge, 0) / time.Second))
	p.String(f.Want.ACRValues)
	p.Bool(f.Silent)
	if f.Again {
		p.Field(tagAgain, []byte{1})
	}
	p.Field(tagScopes, []byte(strings.Join(f.Scopes, " ")))
	p.Field(tagParams, []byte(f.Params.Encode()))
	p.Field(tagFlowKey, f.DPoPKey)
	return p.Pack()
}

// Unpack returns the flow that Pack has packed, also in the version before.
func Unpack(packed []byte) (*Flow, error) {
	u, err := seal.Unpack(packed)
	if err != nil {
		return nil, err
	}
	f := &Flow{Want: protocol.Authentication{MaxAge: -1}}
	copy(f.Provider[:], u.Take(uint64(len(f.Provider))))
	for _, random := range []*string{&f.State, &f.Want.Nonce, &f.Verifier} {
		*random = base64.RawURLEncoding.EncodeToString(u.Bytes())
	}
	f.Started = u.Time()
	f.ReturnPath = u.String()
	hasMaxAge, maxAge := u.Bool(), u.Uint()
	if maxAge > math.MaxInt32 {
		u.Fail()
	}
	if hasMaxAge {
		f.Want.MaxAge = time.Duration(maxAge) * time.Second
	}
	f.Want.ACRValues = u.String()
	f.Silent = u.Bool()
	u.Fields(func(tag uint64, value []byte) {
		switch tag {
		case tagAgain:
			f.Again = true
		case tagScopes:
			f.Scopes = append(f.Scopes, strings.Fields(string(value))...)
		case tagParams:
			params, err := url.ParseQuery(string(value))
			if err != nil || len(params) == 0 {
				u.Fail()
			}
			f.Params = params
		case tagFlowKey:
			if len(value) != dpop.SeedBytes {
				u.Fail()
			}
			f.DPoPKey = bytes.Clone(value)
		}
	})
	return f, u.Err()
}

// AuthParams returns the parameters that the login of a flow asks for in addition to those
// of every login at the provider.
func (f *Flow) AuthParams(ofEveryLogin url.Values) url.Values {
	if len(f.Params) > 0 {
		return f.Params
	}
	return f.stepUp(ofEveryLogin)
}

// stepUp returns the parameters of a flow that a policy has asked for, nil if none has.
func (f *Flow) stepUp(ofEveryLogin url.Values) url.Values {
	if f.Params.Has("max_age") || f.Params.Has("acr_values") {
		return f.Params
	}
	// The version before kept no parameters, and long ones are not kept.
	params := url.Values{}
	if maxAge := strconv.FormatInt(int64(f.Want.MaxAge/time.Second), 10); f.Want.MaxAge >= 0 && maxAge != ofEveryLogin.Get("max_age") {
		params.Set("max_age", maxAge)
	}
	if f.Want.ACRValues != "" && f.Want.ACRValues != strings.Join(ofEveryLogin["acr_values"], " ") {
		params.Set("acr_values", f.Want.ACRValues)
	}
	if len(params) == 0 {
		return nil
	}
	params.Set("prompt", "login")
	return params
}

// AddsTo reports whether a session alone is not what the flow is for.
func (f *Flow) AddsTo(ofEveryLogin url.Values) bool {
	return len(f.Scopes) > 0 || f.stepUp(ofEveryLogin) != nil
}
