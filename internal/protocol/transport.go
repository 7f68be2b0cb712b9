package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/dpop"
)

const (
	requestTimeout = 10 * time.Second // one request to a provider, body included
	maxBodyBytes   = 1 << 20          // of a provider's response, decompressed
)

// NewTransport returns the transport of custom if it has one, and otherwise a new
// one with timeouts. custom may be nil.
func NewTransport(custom *http.Client) http.RoundTripper {
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

// A Transport carries all requests to providers. It ends each one after a timeout,
// which includes reading the response. A response body over 1 MiB ends in an error.
// The Location header is removed, so that clients follow no redirect (RFC 9700
// section 4.12): a 307 would take the code and the secret elsewhere, and after a
// 302 the JSON of another host would pass for the provider's.
type Transport struct {
	base    http.RoundTripper
	timeout time.Duration // http.Client.Timeout would take a goroutine for each request
	token   string        // the access token to send; "": none
	key     *dpop.Key     // that the token is bound to; nil: it is a bearer token
	// hasCertificate says that base presents a client certificate (RFC 8705).
	hasCertificate bool
	// Nonces are those of the servers that get DPoP proofs.
	Nonces *dpop.Nonces
}

// NewBounded returns a Transport over base. Its timeout is that of custom, which
// may be nil, and 10 seconds without one.
func NewBounded(base http.RoundTripper, custom *http.Client) *Transport {
	t := &Transport{base: base, timeout: requestTimeout, hasCertificate: presentsCertificate(base), Nonces: &dpop.Nonces{}}
	if custom != nil && custom.Timeout > 0 {
		t.timeout = custom.Timeout
	}
	return t
}

// within returns a Transport with another timeout.
func (t *Transport) within(timeout time.Duration) *Transport {
	with := *t
	with.timeout = timeout
	return &with
}

// WithToken returns a Transport that sends the access token with every request, and a
// proof with it if the token is bound to a key.
func (t *Transport) WithToken(access string, key *dpop.Key) *Transport {
	with := *t
	with.token, with.key = access, key
	return &with
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), t.timeout)
	sent := r.WithContext(ctx)
	var resp *http.Response
	var err error
	if t.token == "" {
		resp, err = t.send(sent)
	} else {
		sent.Header = r.Header.Clone()
		resp, err = dpop.Send(sent, t.token, t.key, t.Nonces, t.send)
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

func (t *Transport) send(r *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(r)
	if err == nil && (resp == nil || resp.Body == nil) {
		err = errNoResponse
	}
	return resp, err
}

// Format keeps the access token out of whatever prints a client with this
// transport.
func (t *Transport) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "oauthlogin.transport{timeout:%v}", t.timeout)
}

var (
	errNoResponse   = errors.New("transport returned no response with a body")
	errBodyTooLarge = fmt.Errorf("response of over %d bytes", maxBodyBytes)
)

type boundedBody struct {
	io.ReadCloser
	left   int64
	ctx    context.Context
	cancel context.CancelFunc
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil { // some transports do not know contexts
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

// do sends a request to the provider. It returns a [CallError] if there is no
// response.
func (t *Transport) do(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTrip(r)
	if err != nil {
		return nil, &CallError{err}
	}
	return resp, nil
}

// getDocument reads what the provider publishes at a URL, and for how long that
// may be cached; 0: the response does not say. Every status but 200 is an error.
func (t *Transport) getDocument(ctx context.Context, url, accept string) (body []byte, maxAge time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, errMalformed // the error would quote the URL
	}
	req.Header.Set("Accept", accept)
	resp, err := t.do(req)
	if err != nil {
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, 0, StatusError(resp.StatusCode)
	}
	body, err = ReadBody(resp)
	return body, maxAgeOf(resp.Header), err
}

// ReadBody reads and closes the body of a response that a [Transport] returned.
func ReadBody(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fmt.Errorf("response of over %d bytes", tooLarge.Limit)
	case errors.Is(err, errBodyTooLarge):
		return nil, err
	case err != nil:
		return nil, &CallError{fmt.Errorf("read response: %w", err)}
	}
	return body, nil
}
