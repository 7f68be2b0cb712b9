package oauthloginredis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	startPatience = 3 * time.Second // for a connection and its subscription
	silence       = time.Second     // until a message of its own is published
	echoPatience  = 2 * time.Second // until that comes back
)

// The key serves only to find the primary. GETEX fails where that has become a replica.
const echoScript = `
redis.call('GETEX', KEYS[1])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1`

// echoMark begins the messages that are no keys.
const echoMark = "\n"

var (
	errNoConnection = errors.New("no connection in time")
	errNoEcho       = errors.New("a message of its own has not come back in time")
	errGap          = errors.New("the connection was replaced")
)

// Watch implements [oauthlogin.Coordinator], on a connection of its own.
//
// A message that Watch publishes itself, the echo, has to come back before it is ready and
// after each second of silence. This shows that what is swapped on the present primary arrives
// here; PING would only show that some server is alive.
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
		lost = errNoEcho
		timer.Reset(echoPatience)
		go func() { _ = c.publish(ctx, echo) }() // no echo says the same as an error
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
			case message == "": // subscribed
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

// publish sends an echo to all watchers.
func (c *Coordinator) publish(ctx context.Context, echo string) error {
	_, err := within(ctx, echoPatience, "watch", func(ctx context.Context) (bool, error) {
		return c.run(ctx, echoScript, c.key("echo"), c.tag, echo)
	})
	return err
}

// receive passes on each message, "" first for the subscription, until ctx is done or something
// may have been missed. It uses no PubSub.Channel, which subscribes anew in silence and drops messages.
func (c *Coordinator) receive(ctx context.Context, messages chan<- string) error {
	pubsub, err := c.subscribe(ctx)
	if err != nil {
		return err
	}
	defer pubsub.Close()
	defer context.AfterFunc(ctx, func() { _ = pubsub.Close() })()
	for subscribed := false; ; {
		received, err := pubsub.ReceiveTimeout(ctx, 0)
		if err != nil {
			return err
		}
		message := ""
		switch received := received.(type) {
		case *redis.Subscription:
			if subscribed {
				return errGap
			}
			subscribed = true
		case *redis.Message:
			message = received.Payload
		default:
			return fmt.Errorf("unexpected %T", received)
		}
		select {
		case messages <- message:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// subscribe subscribes on the primary, whose own PUBLISH cannot get lost on the way.
func (c *Coordinator) subscribe(ctx context.Context) (*redis.PubSub, error) {
	cluster, ok := c.client.(*redis.ClusterClient)
	if !ok {
		return c.client.Subscribe(ctx, c.tag), nil
	}
	primary, err := cluster.MasterForKey(ctx, c.tag)
	if err != nil {
		return nil, err
	}
	return primary.Subscribe(ctx, c.tag), nil
}
