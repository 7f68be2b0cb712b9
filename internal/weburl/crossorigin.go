package weburl

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Origins tell requests of the application's own pages from those of others.
type Origins struct {
	paths      *Paths
	trusted    []string
	protection *http.CrossOriginProtection
}

// NewOrigins returns the origins of an application that trusts pages of some others.
func NewOrigins(paths *Paths, trusted []string) *Origins {
	return &Origins{paths: paths, trusted: trusted, protection: http.NewCrossOriginProtection()}
}

// Check returns an error if a page of another origin, a sibling subdomain's included, sent a
// request whose method is not safe. It is [http.CrossOriginProtection] with the public origin
// as the application's own, and it compares schemes too.
func (o *Origins) Check(r *http.Request) error {
	switch r.Method { // before the request is copied
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	// Host as the browser has it: proxies rewrite it.
	public := *r
	public.Host = o.paths.PublicHost()
	err := o.protection.Check(&public)
	origin := r.Header.Get("Origin")
	if err == nil && r.Header.Get("Sec-Fetch-Site") == "" && origin != "" && origin != o.paths.Origin {
		err = errOtherOrigin
	}
	if err != nil {
		return fmt.Errorf("the request is not from a page of %s: %w", o.paths.Origin, err)
	}
	return nil
}

var errOtherOrigin = errors.New("Sec-Fetch-Site is missing, and Origin is another than RedirectURL's")

// CheckOwn is Check, and refuses an Origin that is not the application's own whatever the method
// and Sec-Fetch-Site are.
func (o *Origins) CheckOwn(r *http.Request) error {
	err := o.Check(r)
	if origin := r.Header.Get("Origin"); err == nil && origin != "" && origin != o.paths.Origin {
		err = errOtherOrigin
	}
	return err
}

// Trusts reports whether a request comes from a page of an origin that is trusted.
func (o *Origins) Trusts(r *http.Request) bool {
	return slices.Contains(o.trusted, r.Header.Get("Origin"))
}
