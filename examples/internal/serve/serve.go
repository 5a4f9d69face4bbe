// Package serve ends the example programs as a service should end.
package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// grace is how long requests under way have to finish.
const grace = 5 * time.Second

// UntilSignal serves until the program is told to end, by SIGINT (Ctrl-C) or SIGTERM, and requests under way are
// answered; what they need is closed after it returns. A second signal ends the program at once.
func UntilSignal(server *http.Server, listener net.Listener) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return Until(ctx, server, listener)
}

// Until serves until ctx ends. Requests that take another five seconds are cut off, which is an error.
func Until(ctx context.Context, server *http.Server, listener net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}
