package oauthloginpg_test

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthloginpg"
)

// An application whose instances agree through PostgreSQL. Sessions are in cookies.
func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	if err := oauthloginpg.CreateTable(ctx, pool); err != nil {
		log.Fatal(err)
	}
	auth, err := oauthlogin.New(oauthlogin.Options{
		Providers: []oauthlogin.Provider{oauthlogin.GitHub(&oauth2.Config{
			ClientID: "app", ClientSecret: "secret", RedirectURL: "http://localhost:3000/auth/callback",
		})},
		Keys:        [][]byte{[]byte("32 random bytes, from a secret store")},
		Coordinator: oauthloginpg.New(pool),
	})
	if err != nil {
		log.Fatal(err)
	}
	app := &http.Server{Addr: "localhost:3000", Handler: auth.Handler(http.NotFoundHandler())}

	// When the application stops:
	app.Shutdown(ctx)
	auth.Close()
}

// Sessions in PostgreSQL: the browser has a random id alone.
func ExampleNew_store() {
	var pool *pgxpool.Pool // as above
	options := oauthlogin.Options{
		Store: oauthlogin.NewStore(oauthloginpg.New(pool)), // which is the Coordinator as well
		// ...
	}
	_ = options
}

// A table in a schema, for applications that share a database.
func ExampleWithTable() {
	ctx := context.Background()
	var pool *pgxpool.Pool // as above
	table := oauthloginpg.WithTable("shop.logins")
	if err := oauthloginpg.CreateTable(ctx, pool, table); err != nil {
		log.Fatal(err)
	}
	_ = oauthloginpg.New(pool, table)
}

// The pool leads through PgBouncer, and the connection of Watch past it.
func ExampleWithListenConfig() {
	pool, err := pgxpool.New(context.Background(), "postgres://app@pgbouncer:6432/app")
	if err != nil {
		log.Fatal(err)
	}
	direct, err := pgx.ParseConfig("postgres://app@postgres:5432/app")
	if err != nil {
		log.Fatal(err)
	}
	_ = oauthloginpg.New(pool, oauthloginpg.WithListenConfig(direct))
}
