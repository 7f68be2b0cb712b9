package record

import (
	"slices"
	"strconv"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/claims"
)

// Facts are what a policy has to know of the claims of a record. Reading the claims takes
// several times as long as the rest of a request, and records never change: the last facts
// stay with the record.
type Facts struct {
	Lacks    string // of the claims that the policy asks for; "": nothing
	Absent   bool   // a claim that the policy asks for is not there
	ACR      string
	AuthTime time.Time // zero if the claims do not say

	policy any
	record *Record
	next   *Facts
}

// maxFacts bounds the policies whose facts stay with a record.
const maxFacts = 4

// Facts returns what a policy, of which policy is the pointer, has to know of the claims. asked
// are the claims that it asks for, and for each the accepted values.
func (rec *Record) Facts(policy any, asked map[string][]string) *Facts {
	if rec.known == nil {
		return rec.read(policy, asked)
	}
	first := rec.known.Load()
	if first != nil && first.record != rec { // a copy of a record shares the pointer
		first = nil
	}
	n := 0
	for f := first; f != nil; f = f.next {
		if f.policy == policy {
			return f
		}
		n++
	}
	f := rec.read(policy, asked)
	if n < maxFacts {
		f.next = first
	}
	rec.known.Store(f) // of two at once, one is read again
	return f
}

// read reads the claims.
func (rec *Record) read(policy any, asked map[string][]string) *Facts {
	known, err := claims.Parse(rec.User.RawClaims)
	if err != nil {
		known = claims.Object{}
	}
	f := &Facts{policy: policy, record: rec, ACR: known.String("acr")}
	f.AuthTime, _ = known.Time("auth_time")
	for name, values := range asked {
		absent := !known.HasAt(name)
		f.Absent = f.Absent || absent && err == nil
		has := known.At(name)
		if name == "email" {
			has = rec.User.verifiedEmail(has)
		}
		switch {
		case slices.ContainsFunc(has, func(v string) bool { return slices.Contains(values, v) }):
		case absent:
			f.Lacks = "claim " + strconv.Quote(name)
		default:
			f.Lacks = "value of the claim " + strconv.Quote(name)
		}
	}
	return f
}
