// Package reader has the names that Go blocks in README.md and docs leave to the reader:
// what an application has anyway.
package reader

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"errors"
	"expvar"
	"fmt"
	"html"
	"html/template"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/endpoints"

	"github.com/oauthlogin/oauthlogin"
	"github.com/oauthlogin/oauthlogin/oauthloginotel"
	"github.com/oauthlogin/oauthlogin/oauthloginpg"
	"github.com/oauthlogin/oauthlogin/oauthloginredis"
	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

var (
	auth     *oauthlogin.Middleware
	session  *oauthlogin.Session
	client   *oauth2.Config
	keys     [][]byte
	provider oauthlogin.Provider
	billing  *http.Client

	ctx     context.Context
	w       http.ResponseWriter
	r       *http.Request
	mux     *http.ServeMux
	server  *http.Server
	addr    string
	since   string
	request *http.Request
	pages   chi.Router

	key      *ecdsa.PrivateKey
	storeKey []byte
	store    *sessions.FilesystemStore
	rdb      *redis.Client
	pool     *pgxpool.Pool
	db       *sql.DB

	t     *testing.T
	alice *oauthlogintest.Browser
	site  *oauthlogintest.Site

	policy oauthlogin.Policy
	german map[string]string // texts
)

func home(http.ResponseWriter, *http.Request) {}

func dashboard(http.ResponseWriter, *http.Request) {}

func admin(http.ResponseWriter, *http.Request) {}

func transfer(http.ResponseWriter, *http.Request) {}

func adminPage(http.ResponseWriter, *http.Request) {}

func roleOf(ctx context.Context, issuer, subject string) (role string, known bool, err error) {
	return "", false, nil
}

func newApp(secret string, provider oauthlogin.Provider, client *http.Client) (http.Handler, error) {
	return nil, nil
}

func runApp(t *testing.T) *oauthlogintest.Site { return nil }

func signForEntra(ctx context.Context) (string, error) { return "", nil }

func identifyDiscord(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
	return oauthlogin.User{}, nil
}

func identifyLINE(ctx context.Context, client *http.Client) (oauthlogin.User, error) {
	return oauthlogin.User{}, nil
}

func withPrefix(prefix string, next http.Handler) http.Handler { return nil }

func link(ctx context.Context, before, now oauthlogin.User) error { return nil }

func export(client *http.Client) {}
