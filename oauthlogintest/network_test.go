package oauthlogintest_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/oauthlogin/oauthlogin/oauthlogintest"
)

// All of HTTP is at work: a handler can stream and hijack its connection.
func TestNetworkIsHTTP(t *testing.T) {
	t.Parallel()
	var client *http.Client
	oauthlogintest.Run(t, oauthlogintest.Config{}, func(_ string, p *oauthlogintest.Provider) http.Handler {
		client = p.HTTPClient()
		mux := http.NewServeMux()
		mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "first ")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		mux.HandleFunc("/hijack", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(conn, "HTTP/1.1 299 Mine\r\nContent-Length: 0\r\n\r\n")
			conn.Close()
		})
		return mux
	})
	resp, err := client.Get(appURL + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 6)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first " {
		t.Errorf("stream %q, %v", first, err)
	}
	resp.Body.Close()
	if resp, err = client.Get(appURL + "/hijack"); err != nil || resp.StatusCode != 299 {
		t.Errorf("hijack: %v, %v", resp, err)
	}
}
