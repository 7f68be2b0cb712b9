package oauthloginredis_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"golang.org/x/oauth2"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthloginredis"
)

// An application whose instances agree through Redis. Sessions are in cookies.
func Example() {
	server, err := miniredis.Run() // redis-server, in an application
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()

	auth, err := oauthlogin.New(oauthlogin.Options{
		Providers: []oauthlogin.Provider{oauthlogin.GitHub(&oauth2.Config{
			ClientID: "app", ClientSecret: "secret", RedirectURL: "http://localhost:3000/auth/callback",
		})},
		Keys:        [][]byte{[]byte("32 random bytes, from a secret store")},
		Coordinator: oauthloginredis.New(client),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := &http.Server{Addr: "localhost:3000", Handler: auth.Handler(http.NotFoundHandler())}

	// When the application stops:
	app.Shutdown(context.Background())
	fmt.Println(auth.Close())
	// Output: <nil>
}

// Sessions in Redis: the browser has a random id alone.
func ExampleNew_store() {
	client := redis.NewClient(&redis.Options{Addr: "redis:6379"})
	options := oauthlogin.Options{
		Store: oauthlogin.NewStore(oauthloginredis.New(client)), // which is the Coordinator as well
		// ...
	}
	_ = options
}

// Redis behind Sentinel, and a Redis Cluster.
func ExampleNew_failover() {
	sentinel := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: "main", SentinelAddrs: []string{"sentinel-1:26379", "sentinel-2:26379", "sentinel-3:26379"},
	})
	_ = oauthloginredis.New(sentinel)

	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"node-1:6379", "node-2:6379", "node-3:6379"}})
	_ = oauthloginredis.New(cluster)
}

// Two applications on one server.
func ExampleWithPrefix() {
	server, err := miniredis.Run()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()

	shop := oauthloginredis.New(client, oauthloginredis.WithPrefix("shop"))
	blog := oauthloginredis.New(client, oauthloginredis.WithPrefix("blog"))
	ctx := context.Background()
	swapped, err := shop.Swap(ctx, "key", nil, []byte("value"), time.Minute, false) // as a Middleware does
	fmt.Println(swapped, err)
	values, err := blog.Load(ctx, "key")
	fmt.Println(values[0] == nil, err)
	fmt.Println(server.Keys())
	// Output:
	// true <nil>
	// true <nil>
	// [{shop}:key]
}
