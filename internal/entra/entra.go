// Package entra knows which issuers stand behind a tenant of Microsoft Entra ID, as an
// application configures it. It is pure.
//
// The metadata for users of several tenants have a template in place of an issuer, with
// "{tenantid}" where ID tokens have the ID of the user's tenant.
package entra

import (
	"strings"
)

const (
	// consumers is the tenant of personal accounts.
	consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"
	// placeholder is what a template has in place of a tenant's ID.
	placeholder = "{tenantid}"
	host        = "https://login.microsoftonline.com"
	version     = "/v2.0"
	// maxTenant bounds a tenant's name, in bytes: a domain's length.
	maxTenant = 253
)

// Tenants are those whose users can sign in.
type Tenants struct {
	before string // the ID in the issuer of a tenant
	all    bool   // the metadata have the template
	id     string // the only one, "" if it is not known or there are several
	except string // one that is not among them
}

// Valid reports whether a word can name a tenant in a URL: 1 to 253 letters, digits, dots
// and hyphens, and not dots alone.
func Valid(tenant string) bool {
	return len(tenant) <= maxTenant && strings.Trim(tenant, ".") != "" && !strings.ContainsFunc(tenant, func(r rune) bool {
		return r != '.' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// Issuer returns the URL that has the metadata of a tenant below it, in the worldwide cloud.
func Issuer(tenant string) string { return host + "/" + tenant + version }

// Of returns the tenants of an issuer that names a tenant as Issuer does, in any cloud. ok
// is false for other issuers.
func Of(issuer, tenant string) (t *Tenants, ok bool) {
	before, ok := strings.CutSuffix(issuer, tenant+version)
	if !ok || !strings.HasSuffix(before, "/") {
		return nil, false
	}
	t = &Tenants{before: before}
	switch {
	case tenant == "common":
		t.all = true
	case tenant == "organizations":
		t.all, t.except = true, consumers
	case tenant == "consumers":
		t.id = consumers
	case isGUID(tenant):
		t.id = tenant
	}
	return t, true
}

// IsTemplate reports whether an issuer is the template.
func (t *Tenants) IsTemplate(issuer string) bool { return issuer == t.before+placeholder+version }

// Publishes reports whether metadata of these tenants can have an issuer.
func (t *Tenants) Publishes(issuer string) bool {
	if t.all {
		return t.IsTemplate(issuer)
	}
	return t.Has(issuer)
}

// Has reports whether an issuer is that of one of the tenants.
func (t *Tenants) Has(issuer string) bool {
	rest, ok := strings.CutPrefix(issuer, t.before)
	id, suffixed := strings.CutSuffix(rest, version)
	return ok && suffixed && isGUID(id) && (t.id == "" || id == t.id) && (t.except == "" || !strings.EqualFold(id, t.except))
}

// Issues reports whether an ID token can be of this issuer with this tid.
func (t *Tenants) Issues(issuer, tid string) bool {
	return t.Has(issuer) && issuer == t.before+tid+version
}

// Signs reports whether a key that is published for an issuer, or with the template for all,
// signs for another one.
func (t *Tenants) Signs(published, issuer string) bool {
	return published == issuer || t.IsTemplate(published)
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		isHyphen := i == 8 || i == 13 || i == 18 || i == 23
		isHex := '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
		if isHyphen && c != '-' || !isHyphen && !isHex {
			return false
		}
	}
	return true
}
