package redisstore

import (
	"context"
	"time"
)

// firstPause is how long Watch waits before it connects again; it doubles up to half a Heartbeat.
const firstPause = 20 * time.Millisecond

// Watch calls changed, on the goroutine that called Watch: without ids whenever it has subscribed and whenever it has
// lost touch, and with the id of each record that any process updated or deleted, in order. A mutation is published by
// the script that carries it out, so no process can die in between.
//
// In touch means that Watch's own heartbeats, published through the server that takes the writes, come back on the
// subscribed connection within Config.Heartbeat. If they do not, Watch connects anew, as often as it takes. Redis drops a subscriber that is behind by more than its client-output-buffer-limit; that counts as lost.
//
// Watch returns ctx's error when ctx ends, and nothing else. Any number of them may run; each has a connection of its
// own, a goroutine that reads from it, and one for each heartbeat on its way. All of them end with ctx; those that are
// connecting or writing to a server that does not answer, when the client's own timeouts end that. changed may call any
// method of the store, but while it runs no heartbeat is heard.
func (s *Store) Watch(ctx context.Context, changed func(ids ...string)) error {
	for first, pause := true, firstPause; ; first = false {
		if err := ctx.Err(); err != nil {
			return err
		}
		w := &watch{store: s, channel: s.keys.beat(nonce()), changed: changed, heard: make(chan any)}
		w.run(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		// While nobody answers, what was said when touch was lost remains true.
		if first || w.subscribed {
			changed()
		}
		if w.touched {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, s.config.Heartbeat/2)
	}
}
