package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/bench"
)

// compareLogins has clients sign in again and again, with the provider, the
// applications and the clients in this one process.
func compareLogins(rounds int, turn time.Duration) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	provider, err := bench.NewProvider("http://"+listener.Addr().String(), bench.Small)
	if err != nil {
		return "", err
	}
	go http.Serve(listener, provider)

	apps := bench.Applications()
	addresses := make([]string, len(apps))
	for i, app := range apps {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		defer listener.Close()
		addresses[i] = listener.Addr().String()
		handler, err := app.New(provider, "http://"+addresses[i], bench.NewClient())
		if err != nil {
			return "", err
		}
		go http.Serve(listener, handler)
	}

	clients := []int{1, 16}
	rates, cpu := map[int][][]float64{}, map[int][][]float64{}
	for _, n := range clients {
		rates[n], cpu[n] = make([][]float64, len(apps)), make([][]float64, len(apps))
		for round := range rounds {
			for j := range apps {
				i := (j + round) % len(apps)
				rate, each, err := signIns(addresses[i], n, turn)
				if err != nil {
					return "", fmt.Errorf("%s: %w", apps[i].Name, err)
				}
				rates[n][i] = append(rates[n][i], rate)
				cpu[n][i] = append(cpu[n][i], float64(each.Microseconds()))
			}
		}
	}
	var b strings.Builder
	b.WriteString("Complete logins a second, SMALL, provider, application and clients in one process, over loopback:\n\n")
	b.WriteString("| | 1 client | of the ceiling | CPU microseconds | 16 clients | of the ceiling | CPU microseconds |\n")
	b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for i, app := range apps {
		cells := []any{app.Name}
		for _, n := range clients {
			ofCeiling := ratios(rates[n][i], rates[n][0])
			cells = append(cells, fmt.Sprintf("%.0f", bench.Median(rates[n][i])), fmt.Sprintf("%.2f", ofCeiling), fmt.Sprintf("%.0f", bench.Median(cpu[n][i])))
		}
		b.WriteString(row(cells...))
	}
	return b.String(), nil
}

// signIns returns logins a second, and the processor time of each: that of
// provider and client included.
func signIns(address string, clients int, turn time.Duration) (rate float64, each time.Duration, err error) {
	var (
		wg    sync.WaitGroup
		total atomic.Int64
		fault atomic.Pointer[error]
	)
	start, used := time.Now(), bench.CPUTime()
	for range clients {
		wg.Go(func() {
			v := visitor{}
			defer v.close()
			for time.Since(start) < turn {
				if err := v.signIn(address); err != nil {
					fault.Store(&err)
					return
				}
				total.Add(1)
			}
		})
	}
	wg.Wait()
	if err := fault.Load(); err != nil {
		return 0, 0, *err
	}
	n := total.Load()
	if n == 0 {
		return 0, 0, errors.New("no login in a whole turn")
	}
	return float64(n) / time.Since(start).Seconds(), (bench.CPUTime() - used) / time.Duration(n), nil
}

// A visitor is a browser that keeps one connection to each host, and cookies
// for the length of one login.
type visitor map[string]*visit

type visit struct {
	net.Conn
	*bufio.Reader
}

func (v visitor) close() {
	for _, open := range v {
		open.Conn.Close()
	}
}

func (v visitor) signIn(address string) error {
	start, err := v.get("http://"+address+"/login", nil)
	if err != nil {
		return err
	}
	back, err := v.get(start.Header.Get("Location"), nil)
	if err != nil {
		return err
	}
	done, err := v.get(back.Header.Get("Location"), start.Cookies())
	if err != nil {
		return err
	}
	if done.Header.Get("Location") != "/" || len(done.Cookies()) == 0 {
		return fmt.Errorf("login ends with %d to %q and %d cookies", done.StatusCode, done.Header.Get("Location"), len(done.Cookies()))
	}
	return nil
}

func (v visitor) get(target string, cookies []*http.Cookie) (*http.Response, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	open := v[u.Host]
	if open == nil {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			return nil, err
		}
		open = &visit{conn, bufio.NewReader(conn)}
		v[u.Host] = open
	}
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/html\r\n", u.RequestURI(), u.Host)
	for i, c := range cookies {
		separator := "; "
		if i == 0 {
			separator = "Cookie: "
		}
		b.WriteString(separator + c.Name + "=" + c.Value)
	}
	if len(cookies) > 0 {
		b.WriteString("\r\n")
	}
	b.WriteString("\r\n")
	if err := open.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := open.Conn.Write([]byte(b.String())); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(open.Reader, nil)
	if err != nil {
		return nil, err
	}
	resp.Body.Close() // which reads what there is
	if resp.StatusCode != http.StatusFound && resp.StatusCode != http.StatusSeeOther {
		return nil, fmt.Errorf("%s answers %d", u.Path, resp.StatusCode)
	}
	return resp, nil
}
