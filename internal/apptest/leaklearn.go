package apptest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// secretParameters are those of requests, by the names that the RFCs give them.
var secretParameters = []string{
	"state", "nonce", "code_challenge", "code", "code_verifier", "refresh_token", "access_token", "client_secret", "step_up",
}

func (h *LeakHunt) learnParameters(query url.Values) {
	for _, name := range secretParameters {
		for _, value := range query[name] {
			if decoded, err := base64.URLEncoding.DecodeString(value); err == nil && bytes.Contains(decoded[:min(len(decoded), 12)], []byte("|")) {
				value = value[min(len(value), sealedTime):]
			}
			h.Secret(name, value)
		}
	}
}

// learnTokens learns the tokens of a response, and of JWTs the parts that are
// no one else's.
func (h *LeakHunt) learnTokens(body []byte) {
	var tokens map[string]any
	if json.Unmarshal(body, &tokens) != nil {
		return
	}
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		if value, ok := tokens[name].(string); ok {
			h.learnToken(name, value)
		}
	}
}

func (h *LeakHunt) learnToken(name, value string) {
	parts := strings.Split(value, ".")
	if len(parts) != 3 || !strings.HasPrefix(value, "eyJ") {
		if name != "id_token" {
			h.Secret(name, value)
		}
		return
	}
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	h.Secret(name, parts[2], string(signature))
	h.Secret("payload of a JWT", parts[1]) // of which several have parts in common
}

// learnCookies learns what is sealed in the cookies of a response, and says
// what there is to read in it without a key.
func (h *LeakHunt) learnCookies(header http.Header) {
	sealed := map[string]string{}
	for _, line := range header["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		if err != nil || len(c.Value) < 64 {
			continue
		}
		switch rest, chunk := strings.CutPrefix(c.Name, SessionCookie); {
		case chunk && rest == "": // "2", a mark of six characters
			sealed[SessionCookie] = c.Value[min(7, len(c.Value)):] + sealed[SessionCookie]
		case chunk && len(rest) == 2:
			sealed[SessionCookie] += c.Value[6:]
		default:
			sealed[c.Name] = c.Value
		}
	}
	for _, value := range sealed {
		h.LearnSealed(value)
	}
}

// sealedTime is how much of a sealed value tells little more than the time.
const sealedTime = 32

// LearnSealed takes securecookie's encoding apart: base64 of "time|value|MAC",
// whose value is base64 again. The time is not secret.
func (h *LeakHunt) LearnSealed(sealed string) {
	h.Secret("cookie", sealed[min(len(sealed), sealedTime):])
	decoded, err := base64.URLEncoding.DecodeString(sealed)
	if err != nil {
		return
	}
	h.Says("sealed value", string(decoded))
	_, rest, _ := bytes.Cut(decoded, []byte("|"))
	value, mac, _ := bytes.Cut(rest, []byte("|"))
	h.Secret("cookie", string(value), string(mac))
	if decoded, err = base64.URLEncoding.DecodeString(string(value)); err == nil {
		h.Secret("cookie", string(decoded))
		h.Says("sealed value", string(decoded))
	}
}
