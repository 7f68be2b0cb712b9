package protocol

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oauthlogin/oauthlogin/internal/claims"
	"github.com/oauthlogin/oauthlogin/internal/flight"
)

const (
	maxKeys    = 100 // of a set; more are not looked at
	minRSABits = 2048
)

// A keySet has the keys that a provider signs with. None of them is private, and
// each fits an accepted algorithm.
type keySet struct {
	url  string // where it was read
	keys []key
}

type key struct {
	id     string // "": not said
	issuer string // of Microsoft Entra ID, for which alone it signs; "": not said
	public crypto.PublicKey
	fits   []jose.SignatureAlgorithm
}

// fetchKeys reads the key set that the current metadata points to (RFC 7517
// section 5).
func (c *Client) fetchKeys(ctx context.Context) (*keySet, time.Duration, error) {
	md, err := c.metadata(ctx)
	if err != nil {
		return nil, 0, err
	}
	body, age, err := c.transport.getDocument(ctx, md.JWKSURL, "application/jwk-set+json, application/json")
	if err != nil {
		return nil, 0, err
	}
	set, leftOut, err := parseKeys(body)
	if leftOut > 0 {
		c.log.InfoContext(ctx, "oauthlogin: keys that cannot verify ID tokens are left out", "left_out", leftOut, "used", len(set.keys))
	}
	if err != nil {
		return nil, 0, err
	}
	set.url = md.JWKSURL
	return set, age, nil
}

// errNoUsableKey is a response that is wrong, and no outage.
var errNoUsableKey = errors.New("response has no usable key")

// parseKeys reads a key set key by key. Keys that cannot be used are left out and
// counted. It is an error if none is left.
func parseKeys(body []byte) (set *keySet, leftOut int, err error) {
	set = &keySet{}
	doc, err := claims.Parse(body)
	if err != nil {
		return set, 0, err
	}
	var list []json.RawMessage
	if json.Unmarshal(doc["keys"], &list) != nil || list == nil {
		return set, 0, errMalformed
	}
	for _, raw := range list[:min(len(list), maxKeys)] {
		if k, err := parseKey(raw); err == nil {
			set.keys = append(set.keys, k)
		}
	}
	if len(set.keys) == 0 {
		return set, len(list), errNoUsableKey
	}
	return set, len(list) - len(set.keys), nil
}

var errUnusableKey = errors.New("key cannot be used")

// keyMembers are the members that a key is made of. Certificates are not among
// them: nothing here reads them, and a faulty one does not make a key worse.
var keyMembers = []string{"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}

// secretMembers are those of private and symmetric keys (RFC 7518 section 6). What
// has been published that way is no longer the provider's alone.
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// parseKey reads one key (RFC 7517 section 4).
func parseKey(raw json.RawMessage) (k key, err error) {
	defer flight.Recover(&err)
	doc, err := claims.Parse(raw)
	if err != nil {
		return key{}, err
	}
	if slices.ContainsFunc(secretMembers, func(name string) bool { _, ok := doc[name]; return ok }) || !forSignatures(doc) {
		return key{}, errUnusableKey
	}
	members := claims.Object{}
	for _, name := range keyMembers {
		if value, ok := doc[name]; ok {
			members[name] = value
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		return key{}, err
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(text); err != nil {
		return key{}, err
	}
	k = key{id: jwk.KeyID, public: jwk.Key, issuer: doc.String("issuer")} // which go-jose drops
	if doc.Has("issuer") && k.issuer == "" {
		k.issuer = "?"
	}
	switch public := jwk.Key.(type) {
	case *rsa.PublicKey:
		if !soundRSA(public, doc.String("e")) {
			return key{}, errUnusableKey
		}
		k.fits = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	case *ecdsa.PublicKey:
		k.fits = map[elliptic.Curve][]jose.SignatureAlgorithm{
			elliptic.P256(): {jose.ES256}, elliptic.P384(): {jose.ES384}, elliptic.P521(): {jose.ES512},
		}[public.Curve]
	case ed25519.PublicKey:
		k.fits = []jose.SignatureAlgorithm{jose.EdDSA}
	}
	// An alg of another kind, such as RSA-OAEP, marks a key that does not sign. One of
	// the same kind does not narrow what the key verifies: the metadata does.
	if len(k.fits) == 0 || jwk.Algorithm != "" && !slices.Contains(k.fits, jose.SignatureAlgorithm(jwk.Algorithm)) {
		return key{}, errUnusableKey
	}
	return k, nil
}

// forSignatures reads use and key_ops (RFC 7517 sections 4.2 and 4.3).
func forSignatures(doc claims.Object) bool {
	if _, ok := doc["use"]; ok && doc.String("use") != "sig" {
		return false
	}
	raw, ok := doc["key_ops"]
	if !ok {
		return true
	}
	var ops []string
	return json.Unmarshal(raw, &ops) == nil && slices.Contains(ops, "verify")
}

// soundRSA refuses keys that are too short (RFC 7518 section 3.3), and exponents
// that make signatures easy to forge or slow to verify. The exponent is read here
// because a large one does not fit an int.
func soundRSA(public *rsa.PublicKey, exponent string) bool {
	text, err := base64.RawURLEncoding.DecodeString(exponent)
	if err != nil {
		return false
	}
	e := new(big.Int).SetBytes(text)
	return public.N.BitLen() >= minRSABits && public.N.Bit(0) == 1 &&
		e.BitLen() <= 31 && e.Bit(0) == 1 && e.Cmp(big.NewInt(3)) >= 0
}
