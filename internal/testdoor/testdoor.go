// Package testdoor leads package oauthlogintest, and tests with real browsers, to what
// package oauthlogin does not export.
package testdoor

import (
	"net/http"
	"time"
)

// WithUser returns a copy of r with a session of user, an oauthlogin.User, at
// middleware, an *oauthlogin.Middleware. Package oauthlogin sets it.
var WithUser func(middleware any, r *http.Request, user any) (*http.Request, error)

// ShortenBoundCookies sets how long browsers keep the bound cookies of middleware, an
// *oauthlogin.Middleware with Options.BindDevices, before it serves. Package oauthlogin sets it.
var ShortenBoundCookies func(middleware any, life time.Duration)
