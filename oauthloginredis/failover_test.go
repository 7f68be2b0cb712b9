package oauthloginredis_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthloginredis"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
	"github.com/redis/go-redis/v9"
)

// A Redis Cluster of three primaries with a replica each, and clients that prefer replicas.
func TestCluster(t *testing.T) {
	t.Parallel()
	nodes := map[string]*engine{}
	args := []string{"--cluster", "create"}
	for range 6 {
		e := startEngine(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0")
		nodes[e.addr] = e
		args = append(args, e.addr)
	}
	output, err := exec.Command("redis-cli", append(args, "--cluster-replicas", "1", "--cluster-yes")...).CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli: %v\n%s", err, output)
	}
	newClient := func() *redis.ClusterClient {
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: args[2:], ReadOnly: true, RouteRandomly: true})
		t.Cleanup(func() { client.Close() })
		return client
	}
	client := newClient()
	for _, e := range nodes {
		waitFor(t, "the cluster", func() bool {
			return strings.Contains(e.client().ClusterInfo(t.Context()).Val(), "cluster_state:ok")
		})
	}
	waitFor(t, "replicas", func() bool {
		synced := 0
		for _, e := range nodes {
			synced += strings.Count(e.client().Info(t.Context(), "replication").Val(), "master_link_status:up")
		}
		return synced == 3
	})
	open := func() oauthlogin.Coordinator { return oauthloginredis.New(newClient()) }
	oauthlogintest.CheckCoordinator(t, open)

	c := open()
	swap(t, c, "before")
	primary, err := client.MasterForKey(t.Context(), "{oauthlogin}:before")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		watch(t, c)
	}
	if listening := primary.PubSubNumSub(t.Context(), "{oauthlogin}").Val()["{oauthlogin}"]; listening != 5 {
		t.Errorf("%d watchers listen on the primary; want 5", listening)
	}
	checkFailover(t, c, nodes[primary.Options().Addr])
}

// A primary and a replica that Redis Sentinel watches.
func TestSentinel(t *testing.T) {
	t.Parallel()
	primary := startEngine(t)
	host, port, err := net.SplitHostPort(primary.addr)
	if err != nil {
		t.Fatal(err)
	}
	replica := startEngine(t, "--replicaof", host+" "+port)
	config := filepath.Join(t.TempDir(), "sentinel.conf") // which Sentinel writes its state to
	if err := os.WriteFile(config, fmt.Appendf(nil, "sentinel monitor main %s %s 1\nsentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 3000\n", host, port), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := startSentinel(t, config)
	waitFor(t, "the replica", func() bool {
		return strings.Contains(replica.client().Info(t.Context(), "replication").Val(), "master_link_status:up") &&
			strings.Contains(sentinel.client().Info(t.Context(), "sentinel").Val(), "slaves=1")
	})
	open := func() oauthlogin.Coordinator {
		client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "main", SentinelAddrs: []string{sentinel.addr}})
		t.Cleanup(func() { client.Close() })
		return oauthloginredis.New(client)
	}
	oauthlogintest.CheckCoordinator(t, open)
	c := open()
	swap(t, c, "before")
	checkFailover(t, c, primary)
}

func startSentinel(t *testing.T, config string) *engine {
	t.Helper()
	port := freePort(t)
	e := &engine{t: t, addr: net.JoinHostPort("127.0.0.1", port), args: []string{config, "--sentinel", "--port", port, "--bind", "127.0.0.1", "--logfile", ""}}
	t.Cleanup(e.kill)
	e.start()
	return e
}

// checkFailover kills the primary, and waits until c works with the server that replaces it.
func checkFailover(t *testing.T, c oauthlogin.Coordinator, primary *engine) {
	t.Helper()
	returned := watch(t, c)
	start := time.Now()
	primary.kill()
	wantReturn(t, returned)
	waitFor(t, "the failover", func() bool {
		_, err := c.Swap(t.Context(), "after", nil, []byte("1"), time.Hour, true) // one that failed may have written it
		return err == nil
	})
	t.Logf("Swap works again after %v", time.Since(start).Round(time.Millisecond))
	if values, err := c.Load(t.Context(), "after", "before"); err != nil || string(values[0]) != "1" || string(values[1]) != "1" {
		t.Errorf("Load returns %q, %v", values, err)
	}
	watch(t, c)
}
