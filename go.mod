module github.com/oauthlogin/oauthlogin

go 1.26.0

require (
	github.com/go-jose/go-jose/v4 v4.1.9
	github.com/gorilla/securecookie v1.1.2
	github.com/gorilla/sessions v1.4.0
	golang.org/x/oauth2 v0.38.0
	golang.org/x/sync v0.25.0
)
