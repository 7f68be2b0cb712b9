// Package oauthloginredis lets the instances of an application agree through Redis or
// Valkey: it implements [oauthlogin.Coordinator].
//
//	client := redis.NewClient(&redis.Options{Addr: "redis:6379"})
//	auth, err := oauthlogin.New(oauthlogin.Options{
//		Coordinator: oauthloginredis.New(client),
//		// ...
//	})
//
// # Servers
//
// It requires Redis 6.2 or newer, or Valkey. The tests of this package use redis-server 7.0:
// a single server, a Redis Cluster of three primaries with a replica each, and a primary with a
// replica under Redis Sentinel. In each of them the primary is killed. Valkey has the same
// commands, but is not part of the tests. A [redis.Ring] is refused, because its clients may
// disagree on which server has a key.
//
// All keys of an application carry the same hash tag, so one server of a Redis Cluster has
// all of them. What is told there reaches watchers without the cluster bus, which may lose
// messages.
//
// Keys are read and written on the primary only, whatever ReadOnly, RouteByLatency and
// RouteRandomly say. Replication is asynchronous: a failover may lose the last writes. So
// may a restart, unless the server writes each change to disk at once (appendfsync always).
//
// Set maxmemory-policy to noeviction, or to volatile-ttl if you accept that the server
// forgets what is about to expire anyway. The policies allkeys-lru and allkeys-lfu may
// evict any key, which is as if its last write had been lost. Every key has a TTL.
//
// # Connections
//
// Each call takes one second at most, with retries. Watch holds one connection
// besides those of the pool. After a second of silence it publishes a message itself; if
// it does not hear of that within two seconds, the connection counts as lost. A call that has
// returned may leave a goroutine behind for as long as the timeouts of the client
// (ReadTimeout, DialTimeout) allow, so leave these on.
//
// With access control lists, the user needs the commands EVALSHA, EVAL, GET, GETEX, SET,
// DEL, PUBLISH and SUBSCRIBE, the keys ~{oauthlogin}:* and the channel &{oauthlogin}.
//
// # What the server sees
//
// Keys are hashes and values are sealed. Someone who reads the server learns no token, no
// session and no user; someone who writes to it can end sessions and discard results, but
// not forge or read any.
package oauthloginredis
