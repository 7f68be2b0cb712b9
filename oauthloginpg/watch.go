package oauthloginpg

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

const (
	startPatience = 3 * time.Second // for a connection that listens
	silence       = time.Second     // until a notification of its own is sent
	echoPatience  = 2 * time.Second // until that arrives
)

// echoMark begins the notifications that are no keys.
const echoMark = "\n"

var (
	errNoConnection = errors.New("no connection in time")
	errNoListening  = errors.New("notifications do not arrive: LISTEN needs a session of its own, see WithListenConfig")
	errNoEcho       = errors.New("a notification of its own has not arrived in time")
)

// Watch implements [oauthlogin.Coordinator], by LISTEN on a connection of its own: see
// [WithListenConfig].
//
// A notification that Watch sends itself, the echo, has to arrive before it is ready and after
// each second of silence. It goes through the pool, so it shows that what is swapped there
// arrives here.
func (c *Coordinator) Watch(ctx context.Context, ready func(), changed func(key string)) error {
	if c.fault != nil {
		return c.fault
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	messages, failed := make(chan string), make(chan error, 1)
	go func() { failed <- c.receive(ctx, messages) }()

	echo := echoMark + rand.Text()
	isReady, lost := false, errNoConnection
	timer := time.NewTimer(startPatience)
	defer timer.Stop()
	sendEcho := func() {
		lost = errNoListening
		if isReady {
			lost = errNoEcho
		}
		timer.Reset(echoPatience)
		go c.notify(ctx, echo)
	}
	for {
		select {
		case <-ctx.Done():
			return describe("watch", ctx.Err())
		case err := <-failed:
			return describe("watch", err)
		case <-timer.C:
			if lost != nil {
				return describe("watch", lost)
			}
			sendEcho()
		case message := <-messages:
			switch {
			case message == "": // listening
				sendEcho()
				continue
			case message == echo && !isReady:
				isReady = true
				ready()
			case !isReady:
				continue
			case !strings.HasPrefix(message, echoMark):
				changed(message)
			}
			lost = nil
			timer.Reset(silence)
		}
	}
}

// notify sends an echo to all watchers. If it fails, none arrives, which says the same.
func (c *Coordinator) notify(ctx context.Context, echo string) {
	ctx, cancel := context.WithTimeout(ctx, echoPatience)
	defer cancel()
	_, _ = c.pool.Exec(ctx, "SELECT pg_notify($1, $2)", unprepared, c.channel, echo)
}

// receive passes on each notification, "" first once it listens, until ctx is done or one may have
// been missed.
func (c *Coordinator) receive(ctx context.Context, messages chan<- string) error {
	conn, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{c.channel}.Sanitize()); err != nil {
		return err
	}
	for message := ""; ; {
		select {
		case messages <- message:
		case <-ctx.Done():
			return ctx.Err()
		}
		notification, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		message = notification.Payload
	}
}

// connect opens a connection that the pool does not know of: it would wait for one of its own to
// be free.
func (c *Coordinator) connect(ctx context.Context) (*pgx.Conn, error) {
	config, ofPool := c.listen.Copy, c.pool.Config()
	if c.listen == nil {
		config = ofPool.ConnConfig.Copy
	}
	own := config()
	own.OnNotification = nil // WaitForNotification returns what it does not take
	own.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}
	}
	if c.listen == nil && ofPool.BeforeConnect != nil {
		if err := ofPool.BeforeConnect(ctx, own); err != nil {
			return nil, err
		}
	}
	return pgx.ConnectConfig(ctx, own)
}
