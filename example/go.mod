module github.com/oauthlogin/oauthlogin/example

go 1.26.0

replace github.com/oauthlogin/oauthlogin => ../

require (
	github.com/go-jose/go-jose/v4 v4.1.8
	github.com/oauthlogin/oauthlogin v0.0.0-00010101000000-000000000000
	golang.org/x/oauth2 v0.37.0
)

require (
	github.com/gorilla/securecookie v1.1.2 // indirect
	github.com/gorilla/sessions v1.4.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
)
