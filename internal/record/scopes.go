package record

import (
	"slices"
	"strings"
)

// GrantedScopes are those that the provider has granted. RFC 6749 section 3.3 separates
// them by spaces, GitHub by commas.
func (rec *Record) GrantedScopes() []string {
	return strings.FieldsFunc(rec.Tokens.Scope, func(r rune) bool { return r == ' ' || r == ',' })
}

// AskedScopes are those that logins of the session have requested in addition to
// Provider.OAuth2.Scopes, whether they were granted or not.
func (rec *Record) AskedScopes() []string { return strings.Fields(rec.Extra.Asked) }

// Ask notes that scopes were requested.
func (rec *Record) Ask(scopes []string) {
	rec.Extra.Asked = strings.Join(Union(rec.AskedScopes(), scopes), " ")
}

// AdditionalScopes are those that the next login of the session has to request again, so
// that they are not lost. A provider may also grant what it does not let a client request.
func (rec *Record) AdditionalScopes() []string {
	granted := rec.GrantedScopes()
	return slices.DeleteFunc(rec.AskedScopes(), func(scope string) bool { return !slices.Contains(granted, scope) })
}

// Union returns the scopes of both, each once, in their order.
func Union(a, b []string) (scopes []string) {
	for _, scope := range slices.Concat(a, b) {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}
