package interop_test

import (
	"context"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/devicetest"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// A traffic sends guests to an application, whose providers are slow, then fail, and whose Coordinator is away for a
// while, in each period.
type traffic struct {
	*measuredApp
	t      *testing.T
	ctx    context.Context
	period time.Duration
	began  time.Time
	guests sync.WaitGroup
}

// visit lets guests come and go until the end of the test.
func (a *measuredApp) visit(t *testing.T, period time.Duration) {
	ctx, stop := context.WithCancel(context.Background())
	f := &traffic{measuredApp: a, t: t, ctx: ctx, period: period, began: time.Now()}
	for _, p := range a.providers {
		p.Intercept(oauthlogintest.Token, f.token)
	}
	f.guests.Go(func() {
		for n := 0; f.wait(f.pause()); n++ {
			f.guests.Go(func() { f.come(n) })
		}
	})
	const outage = 5 * time.Second // so that Prometheus sees it
	end := .70 + max(.04, outage.Seconds()/period.Seconds())
	f.guests.Go(func() {
		for f.wait(50 * time.Millisecond) {
			phase := f.phase()
			a.coordinator.SetDown(phase > .70 && phase < end)
		}
	})
	t.Cleanup(func() {
		stop()
		f.guests.Wait()
	})
}

// phase is which part of the period has passed.
func (f *traffic) phase() float64 {
	_, part := math.Modf(time.Since(f.began).Seconds() / f.period.Seconds())
	return part
}

// pause is the time until the next guest comes: more of them in the middle of a period.
func (f *traffic) pause() time.Duration {
	rate := 2.5 - 1.5*math.Cos(2*math.Pi*f.phase()) // a second
	return min(time.Duration(rand.ExpFloat64()/rate*float64(time.Second)), 2*time.Second)
}

func (f *traffic) wait(d time.Duration) bool {
	select {
	case <-f.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// token is the token endpoint of the providers.
func (f *traffic) token(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
	phase := f.phase()
	took := time.Duration((.02 + .03*rand.ExpFloat64()) * float64(time.Second))
	if phase > .3 && phase < .45 {
		took *= 5
	}
	f.wait(took)
	switch {
	case phase > .45 && phase < .55 && rand.IntN(2) == 0:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.FormValue("grant_type") == "refresh_token" && rand.IntN(15) == 0:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
	default:
		next(w, r)
	}
}

// come is one visit.
func (f *traffic) come(n int) {
	v := f.newGuest()
	name := "customers"
	if n%4 == 0 {
		name = "staff"
	}
	if !v.signIn(name, n%17 == 3) {
		return
	}
	for range 2 + rand.IntN(6) {
		v.get("/dashboard")
		if !f.wait(time.Duration((.3 + rand.ExpFloat64()) * float64(time.Second))) {
			return
		}
	}
	switch n % 6 {
	case 1:
		v.get("/admin")
	case 2:
		v.get("/recent")
	case 3:
		v.misuse()
	case 4:
		return // without a logout
	}
	if resp, err := v.PostForm(f.url+"/logout", nil); err == nil {
		resp.Body.Close()
	}
}

// A guest is a browser that binds sessions to a key.
type guest struct {
	*http.Client
	f      *traffic
	device devicetest.Device
	origin *url.URL
	offer  http.Header // of a key to register
}

func (f *traffic) newGuest() *guest {
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.t.Error(err)
	}
	v := &guest{f: f}
	v.origin, err = url.Parse(f.url)
	if err != nil {
		f.t.Error(err)
	}
	v.Client = &http.Client{Jar: jar, Timeout: patience, Transport: v}
	return v
}

// RoundTrip keeps the offers of responses.
func (v *guest) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && resp.Header.Get("Secure-Session-Registration") != "" {
		v.offer = resp.Header
	}
	return resp, err
}

// get follows redirects, and then registers a key if one was asked for.
func (v *guest) get(path string) {
	r, err := http.NewRequestWithContext(v.f.ctx, http.MethodGet, v.f.url+path, nil)
	if err != nil {
		v.f.t.Error(err)
	}
	if resp, err := v.Do(r); err == nil {
		resp.Body.Close()
	}
	if offer := v.offer; offer != nil {
		v.offer = nil
		v.device.Register(v.origin, offer, v.send)
	}
}

func (v *guest) send(u *url.URL, header http.Header) (status int, responded http.Header, body string) {
	r, err := http.NewRequestWithContext(v.f.ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		v.f.t.Error(err)
	}
	maps.Copy(r.Header, header)
	resp, err := v.Do(r)
	if err != nil {
		return http.StatusServiceUnavailable, nil, ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body) // a text that is cut short is none of a session
	return resp.StatusCode, resp.Header, string(text)
}

// signIn goes to a provider, stays there for a moment and comes back.
func (v *guest) signIn(provider string, denies bool) bool {
	v.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := http.NewRequestWithContext(v.f.ctx, http.MethodGet, v.f.url+"/login?return_to=/dashboard&provider="+provider, nil)
	if err != nil {
		v.f.t.Error(err)
	}
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "same-origin") // a link on another site does not choose the provider
	resp, err := v.Do(r)
	if err != nil {
		return false
	}
	resp.Body.Close()
	location, err := resp.Location()
	if err != nil || !v.f.wait(time.Duration((.5+rand.ExpFloat64())*float64(time.Second))) {
		return false
	}
	v.CheckRedirect = nil
	if denies {
		query := url.Values{"error": {"access_denied"}, "state": {location.Query().Get("state")}, "iss": {v.f.providers[provider].Issuer()}}
		v.get("/auth/" + provider + "?" + query.Encode())
		return false
	}
	resp, err = v.Get(location.String())
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// misuse renews the bound cookie with another key, and then uses the other cookies without it.
func (v *guest) misuse() {
	for _, session := range v.device.Sessions {
		challenge := session.Challenge
		proof := devicetest.Proof(v.device.NewKey(), challenge, false)
		v.send(session.Refresh, http.Header{"Sec-Secure-Session-Id": {session.Identifier}, "Secure-Session-Response": {proof}})
		v.Jar.SetCookies(v.origin, []*http.Cookie{{Name: session.Cookie, Path: "/", MaxAge: -1}})
		v.get("/dashboard")
	}
}
