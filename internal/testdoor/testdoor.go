// Package testdoor leads package oauthlogintest to what package oauthlogin does not
// export.
package testdoor

import "net/http"

// WithUser returns a copy of r with a session of user, an oauthlogin.User, at
// middleware, an *oauthlogin.Middleware. Package oauthlogin sets it.
var WithUser func(middleware any, r *http.Request, user any) (*http.Request, error)
