// Package oauthloginpg lets the instances of an application agree through PostgreSQL: it
// implements [oauthlogin.Coordinator].
//
//	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
//	err = oauthloginpg.CreateTable(ctx, pool)
//	auth, err := oauthlogin.New(oauthlogin.Options{
//		Coordinator: oauthloginpg.New(pool),
//		// ...
//	})
//
// # The table
//
// [CreateTable] executes these statements, and so can you:
//
//	CREATE TABLE IF NOT EXISTS "oauthlogin" (
//		key text COLLATE "C" PRIMARY KEY,
//		value bytea NOT NULL,
//		expires timestamptz NOT NULL
//	);
//	CREATE INDEX IF NOT EXISTS "oauthlogin_expires" ON "oauthlogin" (expires);
//
// The application itself needs SELECT, INSERT, UPDATE and DELETE on the table. The table may be
// UNLOGGED, which is faster; a crash or a failover then empties it. Sessions in
// cookies survive that, sessions of [oauthlogin.NewStore] do not.
//
// Expired rows do not count. Once a minute, a Swap of each instance deletes up to a thousand of
// them.
//
// # Servers and poolers
//
// The tests of this package use PostgreSQL 15, directly and through PgBouncer in transaction
// mode. All statements have to reach the primary: a standby is refused. Replication is
// asynchronous by default, so a failover may lose the last writes; a failover is not part of
// the tests.
//
// Load and Swap work through a pooler in transaction mode, such as PgBouncer, because they use no
// prepared statements. LISTEN does not: the notifications never arrive. Watch finds out
// and returns an error before it is ready. Give it a connection that leads past the pooler with
// [WithListenConfig].
//
// # Connections
//
// Each call takes one second at most. Watch opens one connection besides those of the
// pool. After a second of silence it sends a notification itself, through the pool; if it
// does not hear of that within two seconds, the connection counts as lost.
//
// # What the server sees
//
// Keys are hashes and values are sealed. Someone who reads the table learns no token, no
// session and no user; someone who writes to it can end sessions and discard results, but
// not forge or read any.
package oauthloginpg
