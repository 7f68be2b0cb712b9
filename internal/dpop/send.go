package dpop

import (
	"net/http"

	"github.com/oauthlogin/oauthlogin/internal/roundtrip"
)

// Send calls an API with an access token: as a bearer token without a key, and otherwise
// bound to the key, with a proof (RFC 9449 section 7.1). If the API asks for a nonce, the
// request is sent once more, if its body can be replayed. r is changed.
func Send(r *http.Request, accessToken string, key *Key, nonces *Nonces, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if key == nil {
		r.Header.Set("Authorization", "Bearer "+accessToken)
		return send(r)
	}
	r.Header.Set("Authorization", "DPoP "+accessToken)
	resp, err := sendProved(r, accessToken, key, nonces.Of(r), send)
	if err != nil {
		return nil, err
	}
	nonce := nonces.Learn(r, resp.Header)
	if nonce == "" || ChallengeError(resp) != UseNonce {
		return resp, nil
	}
	again, ok := roundtrip.Replay(r)
	if !ok {
		return resp, nil // the next request has the nonce
	}
	roundtrip.Drain(resp)
	// With this nonce: other calls may have learned another one meanwhile.
	if resp, err = sendProved(again, accessToken, key, nonce, send); err == nil {
		nonces.Learn(again, resp.Header)
	}
	return resp, err
}

// sendProved sends a request with a proof of its own.
func sendProved(r *http.Request, accessToken string, key *Key, nonce string, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	proof, err := key.Proof(r, accessToken, nonce)
	if err != nil {
		return roundtrip.Failing{Err: err}.RoundTrip(r)
	}
	r.Header.Set("DPoP", proof)
	return send(r)
}
