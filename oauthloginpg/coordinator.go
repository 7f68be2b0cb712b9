package oauthloginpg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/oauthlogin/oauthlogin"
)

// callTimeout bounds each call of Load and Swap.
const callTimeout = time.Second

// unprepared executes statements that a pooler in transaction mode can pass on.
const unprepared = pgx.QueryExecModeExec

// A Coordinator implements [oauthlogin.Coordinator] on PostgreSQL, for
// [oauthlogin.Options.Coordinator] or [oauthlogin.NewStore]. [New] returns one. It is safe for
// concurrent use, and several Middlewares may share it. A Middleware calls its methods;
// applications do not.
type Coordinator struct {
	pool    *pgxpool.Pool
	listen  *pgx.ConnConfig // nil: as the pool connects
	channel string          // for notifications: the name of the table
	table   string          // quoted
	fault   error           // of the configuration; each call returns it
	swept   atomic.Int64    // when expired rows were deleted last, in Unix nanoseconds
}

var _ oauthlogin.Coordinator = (*Coordinator)(nil)

// An Option changes what [New] and [CreateTable] use: [WithTable] and [WithListenConfig].
type Option func(*Coordinator)

// WithTable sets the name of the table, "table" or "schema.table": "oauthlogin" by default.
// Give it to [New] and [CreateTable] alike. Applications that share a database need a table
// each. The name is also that of the notification channel, and has at most 63 bytes; one that
// has more is an error of each call.
func WithTable(name string) Option {
	return func(c *Coordinator) { c.channel = name }
}

// WithListenConfig sets how Watch connects, if the pool leads through a pooler in transaction
// mode. By default it connects as the pool does.
func WithListenConfig(config *pgx.ConnConfig) Option {
	return func(c *Coordinator) { c.listen = config.Copy() }
}

// New returns a Coordinator that uses pool. The table must exist: see [CreateTable]. The
// instances of an application must use the same database and table.
//
// New performs no I/O. It does not close the pool: do that after [oauthlogin.Middleware.Close].
func New(pool *pgxpool.Pool, opts ...Option) *Coordinator {
	c := &Coordinator{pool: pool, channel: "oauthlogin"}
	for _, opt := range opts {
		opt(c)
	}
	parts := strings.Split(c.channel, ".")
	// PostgreSQL cuts longer identifiers, and refuses longer channels.
	if len(c.channel) > 63 || len(parts) > 2 || parts[0] == "" || parts[len(parts)-1] == "" || strings.Contains(c.channel, "\x00") {
		c.fault = fmt.Errorf(`oauthloginpg: WithTable(%q): the name must be "table" or "schema.table" with at most 63 bytes`, c.channel)
	}
	c.table = pgx.Identifier(parts).Sanitize()
	return c
}

// CreateTable creates the table and its index, unless the table exists. Instances that start at
// the same time may call it concurrently. Of opts it uses [WithTable]. It needs the right to
// create tables, takes as long as ctx allows, and returns the error of the server.
func CreateTable(ctx context.Context, pool *pgxpool.Pool, opts ...Option) error {
	c := New(pool, opts...)
	if c.fault != nil {
		return c.fault
	}
	name := c.channel[strings.LastIndex(c.channel, ".")+1:]
	index := pgx.Identifier{name + "_expires"}.Sanitize()
	// One transaction. The lock is for instances that start at the same time: IF NOT EXISTS alone
	// may then fail.
	_, err := pool.Exec(ctx, `
SELECT pg_advisory_xact_lock(hashtext('oauthloginpg.CreateTable'));
CREATE TABLE IF NOT EXISTS `+c.table+` (
	key text COLLATE "C" PRIMARY KEY,
	value bytea NOT NULL,
	expires timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS `+index+` ON `+c.table+` (expires)`, pgx.QueryExecModeSimpleProtocol)
	return describe("create table", err)
}

var errStandby = errors.New("the server is a standby, which may lag behind")

// Load implements [oauthlogin.Coordinator]. It reads from the primary, in one query, and takes
// one second at most.
func (c *Coordinator) Load(ctx context.Context, keys ...string) ([][]byte, error) {
	if c.fault != nil || len(keys) == 0 {
		return nil, c.fault
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rows, err := c.pool.Query(ctx, `
SELECT pg_is_in_recovery(), value
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (key, position)
LEFT JOIN `+c.table+` AS held ON held.key = wanted.key AND expires > clock_timestamp()
ORDER BY position`, unprepared, keys)
	if err != nil {
		return nil, describe("load", err)
	}
	values, isStandby := make([][]byte, 0, len(keys)), false
	for rows.Next() {
		var value []byte
		if err := rows.Scan(&isStandby, &value); err != nil {
			break // rows.Err has it
		}
		values = append(values, value)
	}
	rows.Close()
	switch {
	case rows.Err() != nil:
		return nil, describe("load", rows.Err())
	case isStandby:
		return nil, describe("load", errStandby)
	}
	return values, nil
}

// Swap implements [oauthlogin.Coordinator], by one statement on the primary. It takes one second
// at most. The ttl must be positive.
func (c *Coordinator) Swap(ctx context.Context, key string, old, new []byte, ttl time.Duration, tell bool) (bool, error) {
	if c.fault != nil {
		return false, c.fault
	}
	if len(new) > 0 && ttl <= 0 {
		return false, errors.New("oauthloginpg: swap: the ttl must be positive")
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	statement, args := c.swap(key, old, new, ttl)
	notify := "''"
	if tell {
		notify = "pg_notify(" + literal(c.channel) + ", key)"
	}
	tag, err := c.pool.Exec(ctx, "WITH swapped AS ("+statement+") SELECT "+notify+" FROM swapped", append([]any{unprepared}, args...)...)
	if err != nil {
		return false, describe("swap", err)
	}
	c.sweep(ctx)
	return tag.RowsAffected() == 1, nil
}

// swap returns the statement that returns the key if it has swapped its value. A row that has
// expired counts as absent, until it is deleted or written over.
func (c *Coordinator) swap(key string, old, new []byte, ttl time.Duration) (statement string, args []any) {
	const expires = "clock_timestamp() + $3::bigint * interval '1 microsecond'"
	microseconds := (ttl + time.Microsecond - 1).Microseconds()
	switch {
	case len(old) == 0 && len(new) == 0:
		return "SELECT $1::text AS key WHERE NOT EXISTS (SELECT FROM " + c.table + " WHERE key = $1 AND expires > clock_timestamp())", []any{key}
	case len(old) == 0:
		return "INSERT INTO " + c.table + " AS held (key, value, expires) VALUES ($1, $2, " + expires + ")" +
			" ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires WHERE held.expires <= clock_timestamp()" +
			" RETURNING key", []any{key, new, microseconds}
	case len(new) == 0:
		return "DELETE FROM " + c.table + " WHERE key = $1 AND value = $2 AND expires > clock_timestamp() RETURNING key", []any{key, old}
	}
	return "UPDATE " + c.table + " SET value = $2, expires = " + expires +
		" WHERE key = $1 AND value = $4 AND expires > clock_timestamp() RETURNING key", []any{key, new, microseconds, old}
}

const (
	sweepEvery = time.Minute
	sweepRows  = 1000
)

// sweep deletes expired rows, if that is due. A fault must not change the result of a Swap.
func (c *Coordinator) sweep(ctx context.Context) {
	last, now := c.swept.Load(), time.Now()
	if now.UnixNano()-last < int64(sweepEvery) || !c.swept.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	tag, err := c.pool.Exec(ctx, `
DELETE FROM `+c.table+` WHERE key IN (
	SELECT key FROM `+c.table+` WHERE expires <= clock_timestamp() ORDER BY expires LIMIT $1 FOR UPDATE SKIP LOCKED
) AND expires <= clock_timestamp()`, unprepared, sweepRows)
	if err == nil && tag.RowsAffected() == sweepRows {
		c.swept.Store(0) // there may be more
	}
}

// literal quotes a string for SQL. Names of channels cannot be parameters everywhere.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// describe names the action that failed. Of a server's error it keeps message and code: its detail may
// have values.
func describe(action string, err error) error {
	if failure := (*pgconn.PgError)(nil); errors.As(err, &failure) {
		err = fmt.Errorf("%s (SQLSTATE %s)", failure.Message, failure.Code)
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("oauthloginpg: %s: %w", action, err)
}
