package oauthlogin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
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
		DialContext:            (&net.Dialer{Timeout: requestTimeout}).DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    32, // net/http's 2 make parallel logins reconnect
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    requestTimeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// boundedTransport is what all calls to providers go through. It ends each one
// after timeout, the reading of the answer included; cuts answers off at
// maxBodyBytes, with an error; and takes the Location off, so that no client
// follows a redirect. RFC 9700 section 4.12: a 307 would carry code and secret
// elsewhere, and after a 302 another host's JSON would pass for the provider's.
type boundedTransport struct {
	base    http.RoundTripper
	timeout time.Duration // http.Client.Timeout would take a goroutine for each call
	token   string        // the access token to send; "": none
}

func newBoundedTransport(base http.RoundTripper, custom *http.Client) *boundedTransport {
	t := &boundedTransport{base: base, timeout: requestTimeout}
	if custom != nil && custom.Timeout > 0 {
		t.timeout = custom.Timeout
	}
	return t
}

func (t *boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), t.timeout)
	sent := r.WithContext(ctx)
	if t.token != "" {
		if sent.Header = r.Header.Clone(); sent.Header == nil {
			sent.Header = http.Header{}
		}
		sent.Header.Set("Authorization", "Bearer "+t.token)
	}
	resp, err := t.base.RoundTrip(sent)
	if err == nil && (resp == nil || resp.Body == nil) {
		err = errNoAnswer
	}
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Request = r
	resp.Header.Del("Location")
	resp.Body = &boundedBody{resp.Body, maxBodyBytes, ctx, cancel}
	return resp, nil
}

var (
	errNoAnswer     = errors.New("transport returned no answer with a body")
	errBodyTooLarge = fmt.Errorf("answer of over %d bytes", maxBodyBytes)
)

type boundedBody struct {
	io.ReadCloser
	left   int64
	ctx    context.Context
	cancel context.CancelFunc
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil { // also where the transport knows no contexts
		return 0, err
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errBodyTooLarge
	}
	return n, err
}

func (b *boundedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// Format keeps the access token out of whatever prints the client of Identify.
func (t *boundedTransport) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "oauthlogin.transport{timeout:%v}", t.timeout)
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
	resp, err := p.transport.RoundTrip(r)
	if err != nil {
		return nil, &callError{err}
	}
	return resp, nil
}

// A callError is a call that brought no answer that we take.
type callError struct{ err error }

func (e *callError) Error() string { return "call failed: " + beforeQuote(e.err) }

// Is and As look into the cause. There is no Unwrap: what walks down a chain of
// errors to show it would show what the provider sent.
func (e *callError) Is(target error) bool { return errors.Is(e.err, target) }
func (e *callError) As(target any) bool   { return errors.As(e.err, target) }

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
		what := fmt.Sprintf("%T", p)
		if fault, ok := p.(runtime.Error); ok {
			what = fault.Error()
		}
		*err = fmt.Errorf("panic: %s\n%s", what, debug.Stack())
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
	switch {
	case errors.Is(err, errBodyTooLarge):
		return nil, err
	case err != nil:
		return nil, &callError{fmt.Errorf("read answer: %w", err)}
	}
	return body, nil
}
