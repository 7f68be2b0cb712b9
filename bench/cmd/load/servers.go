package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oauthlogin/oauthlogin/bench"
)

const connections = 32

// A subject is a server in the measured process.
type subject struct {
	Name, Address, Cookie string
	Size                  bench.Size
	Ours                  bool
}

// serveAll starts all servers and writes their addresses. Then it responds to each
// line of input with the CPU time that the process has used so far, in
// nanoseconds. It returns at the end of the input.
func serveAll(in io.Reader, out io.Writer) error {
	servers, err := bench.Servers()
	if err != nil {
		return err
	}
	var subjects []subject
	for _, s := range servers {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		go http.Serve(listener, s.Handler)
		subjects = append(subjects, subject{s.Name, listener.Addr().String(), s.Cookie, s.Size, s.Ours})
	}
	encoder := json.NewEncoder(out)
	if err := encoder.Encode(subjects); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := encoder.Encode(bench.CPUTime()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// A process is another process of this command, with -serve.
type process struct {
	cmd       *exec.Cmd
	in        io.WriteCloser
	responses *json.Decoder
}

func startProcess() (*process, []subject, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	p := &process{cmd: exec.Command(self, "-serve")}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, nil, err
	}
	p.responses = json.NewDecoder(out)
	var subjects []subject
	err = p.responses.Decode(&subjects)
	return p, subjects, err
}

func (p *process) cpuTime() (t time.Duration, err error) {
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return 0, err
	}
	return t, p.responses.Decode(&t)
}

func (p *process) stop() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

func compareServers(rounds int, turn time.Duration) (table string, err error) {
	p, subjects, err := startProcess()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	rates, cpu := make([][]float64, len(subjects)), make([][]float64, len(subjects))
	for round := range rounds {
		for j := range subjects {
			i := (j + round) % len(subjects) // so that the first turn goes to a different server each round
			before, err := p.cpuTime()
			if err != nil {
				return "", err
			}
			n, took, err := drive(&subjects[i], turn)
			if err != nil {
				return "", fmt.Errorf("%s: %w", subjects[i].Name, err)
			}
			after, err := p.cpuTime()
			if err != nil {
				return "", err
			}
			rates[i] = append(rates[i], float64(n)/took.Seconds())
			cpu[i] = append(cpu[i], (after-before).Seconds()*1e6/float64(n))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Whole servers, in a process of their own, %d keep-alive connections over loopback:\n\n", connections)
	b.WriteString("| | session | requests/s | of the plain handler's with the same cookie | of that with two headers | CPU microseconds per request | times the plain handler's | times that with two headers |\n")
	b.WriteString("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	plain, headers := 0, 0
	for i, s := range subjects {
		size := string(s.Size)
		switch {
		case strings.Contains(s.Name, "two headers"):
			headers = i
		case strings.HasPrefix(s.Name, "plain"):
			plain, headers = i, i
		}
		if size == "" {
			size = "none"
		}
		ofHeaders, timesHeaders := "–", "–"
		if headers != plain {
			ofHeaders, timesHeaders = fmt.Sprintf("%.3f", ratios(rates[i], rates[headers])), fmt.Sprintf("%.2f", ratios(cpu[i], cpu[headers]))
		}
		b.WriteString(row(s.Name, size, fmt.Sprintf("%.0f", bench.Median(rates[i])), fmt.Sprintf("%.3f", ratios(rates[i], rates[plain])), ofHeaders,
			fmt.Sprintf("%.1f", bench.Median(cpu[i])), fmt.Sprintf("%.2f", ratios(cpu[i], cpu[plain])), timesHeaders))
	}
	return b.String(), nil
}

// drive sends requests until the turn is over. Each connection sends its next
// request when it has received the previous response.
func drive(s *subject, turn time.Duration) (requests int64, took time.Duration, err error) {
	request := "GET /dashboard HTTP/1.1\r\nHost: dashboard.example.com\r\nUser-Agent: load\r\nAccept: */*\r\n"
	if s.Cookie != "" {
		request += "Cookie: " + s.Cookie + "\r\n"
	}
	request += "\r\n"
	var (
		wg    sync.WaitGroup
		n     atomic.Int64
		fault atomic.Pointer[error]
	)
	start := time.Now()
	for range connections {
		wg.Go(func() {
			mine, err := send(s.Address, []byte(request), start.Add(turn))
			n.Add(mine)
			if err != nil {
				fault.Store(&err)
			}
		})
	}
	wg.Wait()
	if err := fault.Load(); err != nil {
		return 0, 0, *err
	}
	return n.Load(), time.Since(start), nil
}

func send(address string, request []byte, end time.Time) (n int64, err error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(end.Add(10 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := conn.Write(request); err != nil {
		return 0, err
	}
	// Only the first response is checked in full. All others have the same
	// length, because only the Date header differs.
	buf := make([]byte, 4096)
	length, err := conn.Read(buf)
	if err != nil {
		return 0, err
	}
	if response := string(buf[:length]); !strings.HasPrefix(response, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(response, "\r\n\r\nHello.\n") {
		return 0, fmt.Errorf("unexpected response %q", response)
	}
	for time.Now().Before(end) {
		if _, err := conn.Write(request); err != nil {
			return n, err
		}
		if _, err := io.ReadFull(conn, buf[:length]); err != nil {
			return n, err
		}
		if string(buf[9:12]) != "200" || string(buf[length-7:length]) != "Hello.\n" {
			return n, fmt.Errorf("unexpected response %q", buf[:length])
		}
		n++
	}
	return n, nil
}
