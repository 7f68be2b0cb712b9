package oauthlogin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
)

const (
	requestTimeout = 10 * time.Second // one request to a provider, body included
	maxBodyBytes   = 1 << 20          // of a provider's answer, decompressed
)

// newTransport returns what all our calls go through: that of custom, or one
// of our own.
func newTransport(custom *http.Client) http.RoundTripper {
	if custom != nil && custom.Transport != nil {
		return custom.Transport
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    32, // net/http's 2 make parallel logins reconnect
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    requestTimeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// boundedClient returns the client for all calls to providers.
func boundedClient(base http.RoundTripper, custom *http.Client) *http.Client {
	client := &http.Client{
		Transport: &boundedTransport{base},
		Timeout:   requestTimeout,
		// RFC 9700 section 4.12: a 307 would carry code and secret elsewhere, and
		// after a 302 another host's JSON would pass for the provider's.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if custom != nil && custom.Timeout > 0 {
		client.Timeout = custom.Timeout
	}
	return client
}

// boundedTransport cuts answers off at maxBodyBytes, with an error.
type boundedTransport struct{ base http.RoundTripper }

func (t *boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{resp.Body, maxBodyBytes}
	return resp, nil
}

var errBodyTooLarge = fmt.Errorf("answer of over %d bytes", maxBodyBytes)

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errBodyTooLarge
	}
	return n, err
}

// bearer adds an access token to requests for the hosts that are asked, and
// takes it off where a redirect leads to another one.
type bearer struct {
	token string
	base  http.RoundTripper
}

func (t *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r
	if sameHostAsAsked(r) {
		sent = r.Clone(r.Context())
		sent.Header.Set("Authorization", "Bearer "+t.token)
	}
	resp, err := t.base.RoundTrip(sent)
	if err == nil {
		resp.Request = r // what sameHostAsAsked walks over, also if base forgets
	}
	return resp, err
}

// sameHostAsAsked walks back from a request over the redirects that led to
// it: to where a redirect once left the first host, no token may follow.
func sameHostAsAsked(r *http.Request) bool {
	origin := originOf(r.URL)
	for r.Response != nil && r.Response.Request != nil {
		r = r.Response.Request
		if originOf(r.URL) != origin {
			return false
		}
	}
	return true
}

// do sends a request to a provider.
func (p *provider) do(r *http.Request) (*http.Response, error) {
	resp, err := p.client.Do(r)
	return resp, callFailed(err)
}

// A callError is a call that brought no answer that we take.
type callError struct{ err error }

func (e *callError) Error() string { return "call failed: " + beforeQuote(e.err) }
func (e *callError) Unwrap() error { return e.err }

// callFailed makes a callError of what http.Client says, which begins with the
// URL.
func callFailed(err error) error {
	var call *url.Error
	if errors.As(err, &call) {
		return &callError{call.Err}
	}
	return err
}

// beforeQuote is an error's text up to the first quotation mark: what libraries
// quote is what the provider sent.
func beforeQuote(err error) string {
	text := err.Error()
	if i := strings.IndexAny(text, "\"'`"); i >= 0 {
		text = strings.TrimRight(text[:i], " :") + " ..."
	}
	return text[:min(len(text), 200)]
}

// recovered makes an error of a panic where net/http cannot recover it:
// singleflight would end the process.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// A statusError is an answer that says no by its status alone. What the
// answer's body says is nobody's to show.
type statusError int

func (e statusError) Error() string {
	return fmt.Sprintf("answer with status %d", int(e))
}

// readBody reads and closes a bounded answer.
func readBody(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return body, nil
}
