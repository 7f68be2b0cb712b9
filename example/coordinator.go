package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthloginpg"
	"github.com/oauthlogin/oauthlogin/oauthloginredis"
	"github.com/redis/go-redis/v9"
)

// A shared says through what several instances of the application agree. Its zero value is
// an instance for itself.
type shared struct {
	redis       *redis.Options  // nil: not Redis
	postgres    *pgxpool.Config // nil: not PostgreSQL
	hasSessions bool            // the sessions are kept there as well
}

// readShared reads how instances agree. No fault repeats a URL, which may have a password.
func (cfg *config) readShared(env getenv, found *faults) {
	var err error
	if raw := env("REDIS_URL"); raw != "" {
		if cfg.shared.redis, err = redis.ParseURL(raw); err != nil {
			found.add("REDIS_URL is not a URL such as redis://localhost:6379")
		}
	}
	if raw := env("DATABASE_URL"); raw != "" {
		if cfg.shared.postgres, err = pgxpool.ParseConfig(raw); err != nil {
			found.add("DATABASE_URL is not a URL such as postgres://user@localhost:5432/database")
		}
	}
	switch isSet := env("REDIS_URL") != "" || env("DATABASE_URL") != ""; {
	case env("REDIS_URL") != "" && env("DATABASE_URL") != "":
		found.add("REDIS_URL and DATABASE_URL are both set; instances agree through one of them")
	case isSet && env("SESSION_SECRET") == "":
		found.add("SESSION_SECRET is not set; instances that agree need the same one")
	}
	store := env("SESSION_STORE")
	cfg.shared.hasSessions = store != ""
	switch {
	case store != "" && store != "redis" && store != "postgres":
		found.add("SESSION_STORE %q is neither redis nor postgres", store)
	case store == "redis" && env("REDIS_URL") == "":
		found.add("REDIS_URL is not set; it is required with SESSION_STORE=redis")
	case store == "postgres" && env("DATABASE_URL") == "":
		found.add("DATABASE_URL is not set; it is required with SESSION_STORE=postgres")
	}
}

// open sets Options.Coordinator and Options.Store. It waits for a server for some seconds
// and works without. Its clients work until the process ends.
func (s shared) open(ctx context.Context, opts *oauthlogin.Options) error {
	switch {
	case s.redis != nil:
		opts.Coordinator = oauthloginredis.New(redis.NewClient(s.redis))
	case s.postgres != nil:
		pool, err := pgxpool.NewWithConfig(ctx, s.postgres)
		if err != nil {
			return fmt.Errorf("DATABASE_URL: %w", err)
		}
		if err := createTable(ctx, pool); err != nil {
			slog.Warn("trying again once a second", "error", err)
			go retry(ctx, func() error { return createTable(ctx, pool) })
		}
		opts.Coordinator = oauthloginpg.New(pool)
	}
	if s.hasSessions {
		opts.Store = oauthlogin.NewStore(opts.Coordinator)
	}
	return nil
}

func createTable(ctx context.Context, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return oauthloginpg.CreateTable(ctx, pool)
}

// retry calls f once a second until it succeeds or ctx is done.
func retry(ctx context.Context, f func() error) {
	for ctx.Err() == nil && f() != nil {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}
