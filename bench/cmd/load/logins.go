package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/bench"
)

// compareLogins measures repeated logins. The provider, the applications and the
// clients all run in this process.
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

// signIns returns the logins per second and the CPU time per login, which includes
// that of the provider and the client.
func signIns(address string, clients int, turn time.Duration) (rate float64, each time.Duration, err error) {
	var (
		wg    sync.WaitGroup
		total atomic.Int64
		fault atomic.Pointer[error]
	)
	start, used := time.Now(), bench.CPUTime()
	for range clients {
		wg.Go(func() {
			v := visitor{end: start.Add(turn + 10*time.Second), open: map[string]*connection{}}
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
		return 0, 0, errors.New("no login completed in a turn")
	}
	return float64(n) / time.Since(start).Seconds(), (bench.CPUTime() - used) / time.Duration(n), nil
}

// A visitor is a minimal browser that keeps one connection to each host, and
// cookies for one login. It does little else, because its CPU time counts as the
// application's.
type visitor struct {
	end   time.Time // deadline of all connections
	open  map[string]*connection
	bytes []byte // of the last request, reused as a buffer
}

type connection struct {
	net.Conn
	*bufio.Reader
}

// A response is the part of an HTTP response that the next request depends on.
type response struct {
	location string
	cookies  []string // name=value
}

func (v *visitor) close() {
	for _, c := range v.open {
		c.Conn.Close()
	}
}

func (v *visitor) signIn(address string) error {
	start, err := v.get("http://"+address+"/login", nil)
	if err != nil {
		return err
	}
	back, err := v.get(start.location, nil)
	if err != nil {
		return err
	}
	done, err := v.get(back.location, start.cookies)
	if err != nil {
		return err
	}
	// An empty fragment keeps browsers from passing on that of the callback.
	if strings.TrimSuffix(done.location, "#") != "/" || len(done.cookies) == 0 {
		return fmt.Errorf("login ended at %q with %d cookies", done.location, len(done.cookies))
	}
	return nil
}

func (v *visitor) get(target string, cookies []string) (resp response, err error) {
	address, ok := strings.CutPrefix(target, "http://")
	i := strings.IndexByte(address, '/')
	if !ok || i < 0 {
		return resp, fmt.Errorf("redirected to %q", target)
	}
	host, path := address[:i], address[i:]
	c := v.open[host]
	if c == nil {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			return resp, err
		}
		c = &connection{conn, bufio.NewReader(conn)}
		v.open[host] = c
		if err := c.SetDeadline(v.end); err != nil {
			return resp, err
		}
	}
	v.bytes = fmt.Appendf(v.bytes[:0], "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/html\r\n", path, host)
	for i, cookie := range cookies {
		separator := "; "
		if i == 0 {
			separator = "Cookie: "
		}
		v.bytes = append(append(v.bytes, separator...), cookie...)
	}
	if len(cookies) > 0 {
		v.bytes = append(v.bytes, "\r\n"...)
	}
	if _, err := c.Write(append(v.bytes, "\r\n"...)); err != nil {
		return resp, err
	}
	resp, err = c.readRedirect()
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return resp, err
}

// readRedirect reads a redirect as net/http's server sends it.
func (c *connection) readRedirect() (resp response, err error) {
	line, err := c.ReadSlice('\n')
	if err != nil {
		return resp, err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 302 ")) && !bytes.HasPrefix(line, []byte("HTTP/1.1 303 ")) {
		return resp, fmt.Errorf("unexpected response %q", line)
	}
	length := -1
	for {
		if line, err = c.ReadSlice('\n'); err != nil {
			return resp, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch string(name) {
		case "Location":
			resp.location = string(value)
		case "Set-Cookie":
			pair, _, _ := bytes.Cut(value, []byte(";"))
			resp.cookies = append(resp.cookies, string(pair))
		case "Content-Length":
			if length, err = strconv.Atoi(string(value)); err != nil {
				return resp, err
			}
		}
	}
	if length < 0 {
		return resp, errors.New("response without Content-Length")
	}
	_, err = c.Discard(length)
	return resp, err
}
