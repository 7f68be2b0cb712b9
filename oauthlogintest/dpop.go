package oauthlogintest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	proofType  = "dpop+jwt"
	proofLife  = time.Minute     // how far its iat may be from the provider's clock
	nonceLife  = 5 * time.Minute // after which there is a new nonce
	dpopScheme = "DPoP"
)

// nonceKeeper holds the nonces that proofs may have: the current one and the one before.
type nonceKeeper struct {
	mu             sync.Mutex
	current, older string
	made           time.Time
}

// at returns the nonce to use now.
func (k *nonceKeeper) at(now time.Time) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current == "" || now.Sub(k.made) >= nonceLife {
		k.older, k.current, k.made = k.current, rand.Text(), now
	}
	return k.current
}

func (k *nonceKeeper) accepts(nonce string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return nonce != "" && (nonce == k.current || nonce == k.older)
}

// ForgetNonces makes the Provider of a Config with RequireDPoP ask for a new nonce at the
// next request of each client.
func (p *Provider) ForgetNonces() {
	p.nonces.mu.Lock()
	defer p.nonces.mu.Unlock()
	p.nonces.current, p.nonces.older = "", ""
}

// A proofFault is why a proof is refused.
type proofFault struct{ code, description string }

// offerNonce adds the nonce to use next to a response (RFC 9449 section 8.2).
func (p *Provider) offerNonce(w http.ResponseWriter) {
	if p.config.RequireDPoP {
		w.Header().Set("DPoP-Nonce", p.nonces.at(p.config.Now()))
	}
}

// clientProof checks the proof at an endpoint at which the client authenticates, and
// returns the thumbprint of its key. Without Config.RequireDPoP it is "".
func (p *Provider) clientProof(w http.ResponseWriter, r *http.Request) (thumbprint string, _ *oauthError) {
	if !p.config.RequireDPoP {
		return "", nil
	}
	thumbprint, fault := p.checkProof(r, "")
	p.offerNonce(w)
	if fault != nil {
		return "", &oauthError{Code: fault.code, Description: fault.description}
	}
	return thumbprint, nil
}

// checkProof verifies the proof of a request (RFC 9449 section 4.3), which has to be for the
// access token if there is one.
func (p *Provider) checkProof(r *http.Request, accessToken string) (thumbprint string, _ *proofFault) {
	invalid := func(description string) (string, *proofFault) {
		return "", &proofFault{"invalid_dpop_proof", description}
	}
	proofs := r.Header.Values("DPoP")
	if len(proofs) != 1 {
		return invalid("there is not exactly one DPoP header")
	}
	jws, err := jose.ParseSignedCompact(proofs[0], []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return invalid("the proof is not a JWT signed with ES256")
	}
	header := jws.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != proofType || header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() {
		return invalid("the proof has another typ, or no public key")
	}
	key, ok := header.JSONWebKey.Key.(*ecdsa.PublicKey)
	payload, err := jws.Verify(header.JSONWebKey)
	if !ok || err != nil {
		return invalid("the proof is not signed with its key")
	}
	var claims struct {
		ID     string  `json:"jti"`
		Method string  `json:"htm"`
		Target string  `json:"htu"`
		Issued float64 `json:"iat"`
		Token  string  `json:"ath"`
		Nonce  string  `json:"nonce"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return invalid("the proof has claims of a wrong type")
	}
	now := p.config.Now()
	age := now.Sub(time.Unix(int64(claims.Issued), 0))
	switch {
	case claims.Method != r.Method:
		return invalid("htm is another method")
	case claims.Target != p.endpointURL(r.URL.Path[len(p.path):]):
		return invalid("htu is another URL")
	case claims.Token != tokenHash(accessToken):
		return invalid("ath does not belong to the access token")
	case !p.nonces.accepts(claims.Nonce):
		return "", &proofFault{"use_dpop_nonce", "the proof needs a nonce"}
	case age > proofLife || age < -proofLife:
		return invalid("iat is too old or in the future")
	case len(claims.ID) < 16:
		return invalid("the proof has no jti of at least 96 bits")
	case !p.store.firstUse(now, "proof "+claims.ID, now.Add(2*proofLife)):
		return invalid("the proof was used before")
	}
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return invalid("the key has no thumbprint")
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// tokenHash returns the ath of an access token, "" without one.
func tokenHash(accessToken string) string {
	if accessToken == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
