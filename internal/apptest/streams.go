package apptest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// ServeEvents sends a server-sent event every second until the client hangs up.
func ServeEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := 0; ; i++ {
		fmt.Fprintf(w, "data: %d\n\n", i)
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// VisitEvents reads three of the events of ServeEvents at /stream, fails the test
// unless each arrives in its second, and hangs up.
func VisitEvents(t *testing.T, b *Browser) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	resp, err := b.Client.Do(b.Request(http.MethodGet, "/stream", nil, "Accept", "text/event-stream").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	events, start := bufio.NewScanner(resp.Body), time.Now()
	for i := range 3 {
		events.Scan()
		if took := time.Since(start); events.Text() != fmt.Sprintf("data: %d", i) || took != time.Duration(i)*time.Second {
			t.Errorf("event %d is %q, after %v", i, events.Text(), took)
		}
		events.Scan()
	}
}

// ServeWebSocket switches protocols and echoes one line.
func ServeWebSocket(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\n\r\n", r.Header.Get("Upgrade"))
	rw.Flush()
	line, _ := rw.ReadString('\n')
	fmt.Fprint(rw, "echo of ", line)
	rw.Flush()
}

// VisitWebSocket sends a line to ServeWebSocket at /stream and fails the test
// unless it comes back.
func VisitWebSocket(t *testing.T, b *Browser) {
	t.Helper()
	resp, err := b.Client.Do(b.Request(http.MethodGet, "/stream", nil, "Upgrade", "websocket", "Connection", "Upgrade"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	conn, ok := resp.Body.(io.ReadWriter)
	if !ok || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", resp.StatusCode)
	}
	fmt.Fprintln(conn, "hello")
	if got, _ := io.ReadAll(conn); string(got) != "echo of hello\n" {
		t.Errorf("response is %q", got)
	}
}
