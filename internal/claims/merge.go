package claims

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Merge adds user info to the claims of an ID token, and reports whether it added
// any. What the provider signed goes before what it did not, also for readers that
// ignore case in names, as encoding/json does. An e-mail address and its
// verification come from one of the two, never mixed. How the user signed in comes
// from the ID token alone. Neither argument is changed.
func Merge(signed, info Object) (merged Object, changed bool) {
	signed = maps.Clone(signed)
	kept := slices.Clone(Authentication)
	if signed.String("email") != "" {
		kept = append(kept, "email_verified")
	} else if info.String("email") != "" {
		delete(signed, "email")
		delete(signed, "email_verified")
	}
	for _, name := range []string{"name", "preferred_username"} {
		if signed.String(name) == "" {
			delete(signed, name)
		}
	}
	taken := map[string]bool{}
	for _, name := range slices.AppendSeq(kept, maps.Keys(signed)) {
		taken[folded(name)] = true
	}
	merged = Object{}
	for name, value := range info {
		if !leadsInto(name, taken) {
			merged[name] = value
			changed = true
		}
	}
	maps.Copy(merged, signed)
	return merged, changed
}

// leadsInto reports whether a name, or the beginning of one that [Object.At] reads as a
// path, is among the folded names. It takes longer paths than a policy has for such ones,
// as each dot costs time.
func leadsInto(name string, names map[string]bool) bool {
	const maxDots = 32
	name = folded(name)
	dots := 0
	for i, c := range name {
		if c != '.' {
			continue
		}
		if dots++; dots > maxDots || names[name[:i]] {
			return true
		}
	}
	return names[name]
}

// Overlay returns o with the members of own in place of all whose names differ from theirs
// in case alone, as encoding/json would take either for the field of a struct. Neither
// argument is changed.
func Overlay(o, own Object) Object {
	taken := map[string]bool{}
	for name := range own {
		taken[folded(name)] = true
	}
	result := Object{}
	for name, value := range o {
		if !taken[folded(name)] {
			result[name] = value
		}
	}
	maps.Copy(result, own)
	return result
}

// protocolNames are the claims that say for whom, by whom, when and how a token was issued.
var protocolNames = append([]string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "azp", "nonce", "at_hash", "c_hash", "s_hash", "sid"}, Authentication...)

// IsProtocol reports whether a name, in any case, is one of the protocol's and not of a
// user's profile.
func IsProtocol(name string) bool {
	return slices.ContainsFunc(protocolNames, func(own string) bool { return folded(own) == folded(name) })
}

// folded returns a name as encoding/json compares it with the names of struct
// fields.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		for {
			next := unicode.SimpleFold(r)
			if next <= r {
				return next
			}
			r = next
		}
	}, name)
}

// profile are the claims that many providers leave out of refreshed ID tokens.
var profile = []string{"name", "preferred_username", "email", "email_verified"}

// Updated returns the known claims of a user after a refresh whose ID token has
// the claims fresh. A claim that the last ID token had and this one has not is
// removed, unless it belongs to the profile. When and how the user signed in
// stays as it was: a refresh is not a sign-in. No argument is changed.
func Updated(known, lastIDToken, fresh Object) Object {
	updated := Object{}
	maps.Copy(updated, known)
	for name := range lastIDToken {
		if _, still := fresh[name]; !still && !slices.Contains(Authentication, name) && !slices.Contains(profile, name) {
			delete(updated, name)
		}
	}
	fresh = maps.Clone(fresh)
	maps.DeleteFunc(fresh, func(name string, _ json.RawMessage) bool { return slices.Contains(Authentication, name) })
	if fresh.String("email") != "" {
		delete(updated, "email_verified")
	} else {
		delete(fresh, "email")
		delete(fresh, "email_verified")
	}
	if fresh.String("name") == "" {
		delete(fresh, "name")
	}
	maps.Copy(updated, fresh)
	return updated
}

// OfLogin returns the claims of an ID token that came with a refresh, with what the known
// claims say about the sign-in: a refresh is not one.
func OfLogin(idToken, known Object) Object {
	claims := maps.Clone(idToken)
	if claims == nil {
		claims = Object{}
	}
	for _, name := range Authentication {
		delete(claims, name)
		if value, ok := known[name]; ok {
			claims[name] = value
		}
	}
	return claims
}
