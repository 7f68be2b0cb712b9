// Command coordinators measures what the instances of an application pay for agreeing
// through Redis and PostgreSQL. It needs a server of each, which it writes to: the
// table "oauthlogin" and the keys with that prefix should be empty. It prints a Markdown
// table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/bench"
	"github.com/oauthlogin/oauthlogin/oauthloginpg"
	"github.com/oauthlogin/oauthlogin/oauthloginredis"
)

func main() {
	testing.Init()
	redisAddr := flag.String("redis", "127.0.0.1:6379", "address of a Redis server")
	postgres := flag.String("postgres", "postgres://localhost/postgres", "URL of a PostgreSQL database")
	flag.Parse()
	log.SetFlags(0)
	if err := flag.Set("test.benchtime", "1x"); err != nil { // for testing.Benchmark
		log.Fatal(err)
	}
	if err := compare(*redisAddr, *postgres); err != nil {
		log.Fatal(err)
	}
}

// A kind is a way in which sessions are kept.
type kind struct {
	name        string
	coordinator oauthlogin.Coordinator // nil: none
	store       bool                   // NewStore
}

func compare(redisAddr, postgres string) error {
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: redisAddr})
	defer client.Close()
	pool, err := pgxpool.New(ctx, postgres)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := oauthloginpg.CreateTable(ctx, pool); err != nil {
		return err
	}
	onRedis, onPostgres := &watcher{Coordinator: oauthloginredis.New(client)}, &watcher{Coordinator: oauthloginpg.New(pool)}
	kinds := []kind{
		{name: "cookies alone"},
		{"cookies, Redis", onRedis, false},
		{"cookies, PostgreSQL", onPostgres, false},
		{"`NewStore`, Redis", onRedis, true},
		{"`NewStore`, PostgreSQL", onPostgres, true},
	}
	machine := bench.Machine()
	results := make([]result, len(kinds))
	for i, k := range kinds {
		testing.Benchmark(func(b *testing.B) { results[i] = measure(b, k) })
		if len(results[i]) == 0 {
			return errors.New(k.name + ": the measurement has failed")
		}
	}
	fmt.Printf("%s. Medians of %d sessions, in milliseconds.\n\n%s\n", machine, sessions, table(kinds, results))
	fmt.Println("Bytes of a value:")
	for _, line := range onRedis.sizes() {
		fmt.Println(line)
	}
	return memory(ctx, client, pool)
}

func table(kinds []kind, results []result) string {
	var b strings.Builder
	b.WriteString("| |")
	for _, k := range kinds {
		b.WriteString(" " + k.name + " |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(kinds)) + "\n")
	for _, step := range steps {
		b.WriteString("| " + step + " |")
		for _, r := range results {
			if values := r[step]; len(values) > 0 {
				fmt.Fprintf(&b, " %.2f |", bench.Median(values))
			} else {
				b.WriteString(" – |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// memory prints what the servers say that a session takes.
func memory(ctx context.Context, client *redis.Client, pool *pgxpool.Pool) error {
	total, count := map[string]int64{}, map[string]int64{}
	for keys := client.Scan(ctx, 0, "{oauthlogin}:*", 1000).Iterator(); keys.Next(ctx); {
		used, err := client.MemoryUsage(ctx, keys.Val()).Result()
		if err != nil {
			return err
		}
		name := kindOf(strings.TrimPrefix(keys.Val(), "{oauthlogin}:"))
		total[name] += used
		count[name]++
	}
	for _, name := range sorted(count) {
		fmt.Printf("Redis, %s: %d keys, %d bytes each\n", name, count[name], total[name]/count[name])
	}
	rows, err := pool.Query(ctx, `SELECT split_part(key, ':', 1), count(*), avg(pg_column_size(held.*))::int FROM oauthlogin AS held GROUP BY 1 ORDER BY 1`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var count, bytes int
		if err := rows.Scan(&name, &count, &bytes); err != nil {
			return err
		}
		fmt.Printf("PostgreSQL, %s: %d rows, %d bytes each\n", name, count, bytes)
	}
	return rows.Err()
}

func kindOf(key string) string {
	name, _, _ := strings.Cut(key, ":")
	return name
}

func sorted(counts map[string]int64) (names []string) {
	for name := range counts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
