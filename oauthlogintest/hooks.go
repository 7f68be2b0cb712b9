package oauthlogintest

import (
	"net/http"
	"net/url"
)

// hooks are the hooks that a test has set; unset ones are nil or empty.
type hooks struct {
	intercept         map[Endpoint]func(http.ResponseWriter, *http.Request, http.HandlerFunc)
	editDiscovery     func(map[string]any)
	editResponse      func(url.Values)
	editTokenResponse func(map[string]any)
	editIDToken       func(header, claims map[string]any)
	signWith          func(header, claims map[string]any) string
	editUserInfo      func(map[string]any)
	editLogoutToken   func(header, claims map[string]any)
	autoApprove       string
	forgetUsers       bool
}

// Intercept calls f instead of endpoint e; next is the endpoint itself. f can
// send a wrong response, a late one or none: a panic with [http.ErrAbortHandler]
// closes the connection. The request body is already in memory, and w implements
// [http.Flusher] and [http.Hijacker]. A nil f removes the interceptor.
func (p *Provider) Intercept(e Endpoint, f func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hooks.intercept == nil {
		p.hooks.intercept = map[Endpoint]func(http.ResponseWriter, *http.Request, http.HandlerFunc){}
	}
	p.hooks.intercept[e] = f
}

// EditDiscovery calls f to change the provider metadata before each discovery
// response. A nil f removes the hook.
func (p *Provider) EditDiscovery(f func(doc map[string]any)) {
	p.setHook(func(h *hooks) { h.editDiscovery = f })
}

// EditAuthorizationResponse calls f to change the parameters of each authorization
// response, errors included, before it is sent by a redirect or a form: it can add the
// field user of Sign in with Apple, and whatever should not be there. A nil f removes the
// hook.
func (p *Provider) EditAuthorizationResponse(f func(params url.Values)) {
	p.setHook(func(h *hooks) { h.editResponse = f })
}

// EditTokenResponse calls f to change each successful token response, to a code
// or a refresh token, before it is sent. A nil f removes the hook.
func (p *Provider) EditTokenResponse(f func(resp map[string]any)) {
	p.setHook(func(h *hooks) { h.editTokenResponse = f })
}

// EditIDToken calls f to change the JOSE header and the claims of each ID token
// before it is signed. With alg "none" the signature is empty; with "HS256" the
// client's secret is the key. Any other alg or kid only changes the header: the
// signature is still made with [Provider.SigningKey]. A nil f removes the hook.
func (p *Provider) EditIDToken(f func(header, claims map[string]any)) {
	p.setHook(func(h *hooks) { h.editIDToken = f })
}

// EditLogoutToken calls f to change the JOSE header and the claims of each logout token
// before it is signed, as [Provider.EditIDToken] does. A nil f removes the hook.
func (p *Provider) EditLogoutToken(f func(header, claims map[string]any)) {
	p.setHook(func(h *hooks) { h.editLogoutToken = f })
}

// SignWith calls f to sign and serialize each ID token. f receives the header
// and claims after [Provider.EditIDToken], and the Provider issues what f returns
// without checking it. A nil f removes the hook.
func (p *Provider) SignWith(f func(header, claims map[string]any) string) {
	p.setHook(func(h *hooks) { h.signWith = f })
}

// EditUserInfo calls f to change each successful response of the userinfo
// endpoint before it is sent. A nil f removes the hook.
func (p *Provider) EditUserInfo(f func(claims map[string]any)) {
	p.setHook(func(h *hooks) { h.editUserInfo = f })
}

// AutoApprove approves valid authorization requests immediately, as if the user
// with this subject had signed in on the page. The user need not be in
// [Config.Users]. An empty subject brings the page back.
//
// With it, [Browser.Navigate] goes all the way through a login, also one that the
// application refuses:
//
//	site.Provider.AutoApprove("eve")
//	resp := site.Browser().Navigate("/login") // resp.Status is 403
func (p *Provider) AutoApprove(subject string) {
	p.setHook(func(h *hooks) { h.autoApprove = subject })
}

// RememberUsers says whether a browser that has signed in at the Provider is signed
// in again without the page, for a day or until it signs out there. Providers of
// [Run] do not remember users unless told to, so that a test sees when the
// application asks for a login; all others do.
func (p *Provider) RememberUsers(remember bool) {
	p.setHook(func(h *hooks) { h.forgetUsers = !remember })
}

func (p *Provider) setHook(set func(*hooks)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set(&p.hooks)
}

// hook returns a copy of the hooks. Callers run them without the lock, so hooks
// can call the Provider.
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

// edit calls f with m unless f is nil.
func edit(f func(map[string]any), m map[string]any) {
	if f != nil {
		f(m)
	}
}
