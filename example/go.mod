module github.com/oauthlogin/oauthlogin/example

go 1.26.0

replace (
	github.com/oauthlogin/oauthlogin => ../
	github.com/oauthlogin/oauthlogin/oauthloginpg => ../oauthloginpg
	github.com/oauthlogin/oauthlogin/oauthloginredis => ../oauthloginredis
)

require (
	github.com/go-chi/chi/v5 v5.5.0
	github.com/go-jose/go-jose/v4 v4.1.9
	github.com/jackc/pgx/v5 v5.13.0
	github.com/oauthlogin/oauthlogin v0.0.0-00010101000000-000000000000
	github.com/oauthlogin/oauthlogin/oauthloginpg v0.0.0-00010101000000-000000000000
	github.com/oauthlogin/oauthlogin/oauthloginredis v0.0.0-00010101000000-000000000000
	github.com/redis/go-redis/v9 v9.23.0
	golang.org/x/oauth2 v0.38.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/gorilla/securecookie v1.1.2 // indirect
	github.com/gorilla/sessions v1.4.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sync v0.25.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)
