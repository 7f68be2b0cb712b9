package oauthlogintest

import "net/http"

// hooks are what tests install; each is nil or empty until then.
type hooks struct {
	intercept        map[Endpoint]func(http.ResponseWriter, *http.Request, http.HandlerFunc)
	mapDiscovery     func(map[string]any)
	mapTokenResponse func(map[string]any)
	mapIDToken       func(header, claims map[string]any)
	signWith         func(header, claims map[string]any) string
	mapUserInfo      func(map[string]any)
	autoApprove      string
}

// Intercept hands every request to e to f, in place of the endpoint. It may
// answer wrongly, late or not at all (panic with [http.ErrAbortHandler] to hang
// up), and next is the endpoint itself. The request's body is in memory; w
// implements [http.Flusher] and [http.Hijacker]. A nil f removes the
// interceptor.
func (p *Provider) Intercept(e Endpoint, f func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hooks.intercept == nil {
		p.hooks.intercept = map[Endpoint]func(http.ResponseWriter, *http.Request, http.HandlerFunc){}
	}
	p.hooks.intercept[e] = f
}

// EditDiscovery has f edit the provider metadata each time before it is served.
// A nil f serves it as it is.
func (p *Provider) EditDiscovery(f func(doc map[string]any)) {
	p.setHook(func(h *hooks) { h.mapDiscovery = f })
}

// EditTokenResponse has f edit each successful answer of the token endpoint, to
// a code as to a refresh token. A nil f serves it as it is.
func (p *Provider) EditTokenResponse(f func(resp map[string]any)) {
	p.setHook(func(h *hooks) { h.mapTokenResponse = f })
}

// EditIDToken has f edit the JOSE header and the claims of each ID token before
// it is signed. The alg "none" leaves the signature empty, and "HS256" signs
// with the client's secret. Any other alg or kid is written as it is, while the
// signature stays the one of [Provider.SigningKey]. A nil f issues ID tokens as
// they are.
func (p *Provider) EditIDToken(f func(header, claims map[string]any)) {
	p.setHook(func(h *hooks) { h.mapIDToken = f })
}

// SignWith has f serialize each ID token, from the header and claims that
// [Provider.EditIDToken] left. What it returns is issued, whatever it is. A nil
// f gives serialization back to the Provider.
func (p *Provider) SignWith(f func(header, claims map[string]any) string) {
	p.setHook(func(h *hooks) { h.signWith = f })
}

// EditUserInfo has f edit each successful answer of the userinfo endpoint. A
// nil f serves it as it is.
func (p *Provider) EditUserInfo(f func(claims map[string]any)) {
	p.setHook(func(h *hooks) { h.mapUserInfo = f })
}

// AutoApprove answers authorization requests at once, as if the user with this
// subject had signed in on the page. The empty string shows the page again.
func (p *Provider) AutoApprove(subject string) {
	p.setHook(func(h *hooks) { h.autoApprove = subject })
}

func (p *Provider) setHook(set func(*hooks)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set(&p.hooks)
}

// hook returns the hooks to call. They are called without the lock, so that
// they may call the Provider.
func (p *Provider) hook() hooks {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.hooks
}

func (p *Provider) interceptor(e Endpoint) func(http.ResponseWriter, *http.Request, http.HandlerFunc) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.hooks.intercept[e]
}

// edit applies f, which may be nil, to m.
func edit(f func(map[string]any), m map[string]any) {
	if f != nil {
		f(m)
	}
}
