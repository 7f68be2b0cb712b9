// Command replicas runs several instances of an application behind a load balancer that
// knows nothing of sessions. They agree through Redis. From the root of the repository:
//
//	REDIS_URL=redis://localhost:6379 go run ./example/replicas
//
// Without REDIS_URL the instances agree in memory, which only those of one process can.
// Open http://localhost:3000, sign in as alice, and reload the page: the instances take turns.
// A minute later, press the button: of 20 requests at once, to all instances, one refreshes
// the tokens, as the log says. See docs/several-machines.md.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"html/template"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/example/internal/demo"
	"github.com/oauthlogin/oauthlogin/oauthloginredis"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
	"github.com/redis/go-redis/v9"
)

func main() {
	count := flag.Int("instances", 2, "how many instances run")
	flag.Parse()
	slog.SetLogLoggerLevel(slog.LevelDebug) // to see who refreshes
	// In your application: oauthlogin.Google(…), or any other issuer.
	provider, _ := demo.Provider("http://localhost:3000", oauthlogintest.Config{AccessTokenTTL: time.Minute})
	// All instances need the same secret. In processes of their own, a random one will not do.
	secret := cmp.Or(os.Getenv("SESSION_SECRET"), rand.Text()+rand.Text())
	connect, err := coordinator(os.Getenv("REDIS_URL"))
	if err != nil {
		log.Fatal(err)
	}
	var instances []*instance
	for number := range *count {
		i, err := newInstance(number+1, connect(), secret, provider, nil)
		if err != nil {
			log.Fatal(err)
		}
		instances = append(instances, i)
	}

	server := &http.Server{Addr: "localhost:3000", Handler: balance(instances)}
	stopped, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	log.Print("open http://localhost:3000")
	<-stopped.Done()
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	server.Shutdown(grace)
	for _, i := range instances {
		i.auth.Close() // after the server: what is being refreshed still reaches the others
	}
}

// coordinator returns a function that connects an instance to Redis.
func coordinator(redisURL string) (connect func() oauthlogin.Coordinator, err error) {
	if redisURL == "" {
		log.Print("REDIS_URL is not set: the instances agree in the memory of this process")
		memory := oauthlogintest.NewCoordinator()
		return func() oauthlogin.Coordinator { return memory }, nil
	}
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		return nil, errors.New("REDIS_URL is not a URL such as redis://localhost:6379") // err may have the password
	}
	return func() oauthlogin.Coordinator { return oauthloginredis.New(redis.NewClient(options)) }, nil
}

// An instance is one process of the application, elsewhere.
type instance struct {
	number int
	auth   *oauthlogin.Middleware
	http.Handler
}

func newInstance(number int, shared oauthlogin.Coordinator, secret string, provider oauthlogin.Provider, client *http.Client) (*instance, error) {
	auth, err := oauthlogin.New(oauthlogin.Options{
		Keys:        [][]byte{[]byte(secret)},
		Providers:   []oauthlogin.Provider{provider},
		HTTPClient:  client,
		Coordinator: shared,
		Logger:      slog.With("instance", number),
	})
	if err != nil {
		return nil, err
	}
	i := &instance{number: number, auth: auth}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", auth.RequireAuth(http.HandlerFunc(i.page)))
	i.Handler = auth.Handler(mux)
	return i, nil
}

func (i *instance) page(w http.ResponseWriter, r *http.Request) {
	session, _ := oauthlogin.FromContext(r.Context()) // RequireAuth is around it, so there is one
	data := map[string]any{"User": session.User.Name, "Instance": i.number}
	if token := session.Token(); token != nil {
		data["Expiry"] = token.Expiry.Format(time.TimeOnly)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page.Execute(w, data)
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<title>Instances</title>
<link rel="icon" href="data:,">
<p>Instance {{.Instance}}: {{.User}} is signed in, with an access token until {{.Expiry}}.</p>
<button onclick="Promise.all(Array.from({length: 20}, () => fetch('/'))).then(() => location.reload())">20 requests at once</button>
<form method="post" action="/logout"><button>Sign out</button></form>
`))

// balance has the instances take turns.
func balance(instances []*instance) http.Handler {
	var turn atomic.Uint64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := instances[turn.Add(1)%uint64(len(instances))]
		w.Header().Set("X-Instance", strconv.Itoa(i.number))
		i.ServeHTTP(w, r)
	})
}
