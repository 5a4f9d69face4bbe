package redisstore

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// keys names what Redis holds. The braces make all of it one slot of a cluster, whatever comes behind them.
//
//	{prefix}:record:<id>      string   a record: see value
//	{prefix}:all              zset     <created><id> of every record
//	{prefix}:owner:<digest>   zset     <created><id> of an owner's records
//	{prefix}:parent:<digest>  zset     <created><id> of a record's children
//	{prefix}:expiring         zset     <expires><created><id> of the records that expire
//	{prefix}:live:<digest>    zset     <expires><id> of the records that a quota counts: not revoked
//	{prefix}:usage:<id>       hash     count:<secret>, first:<secret>, last:<secret>, network:<secret>
//	{prefix}:rate:<id>        string   what is owed for requests that were made, until nothing is
//	{prefix}:sent:<nonce>     string   a call that has run, for a minute
//	{prefix}:changes          channel  ids updated or deleted
//	{prefix}:beat:<nonce>     channel  heartbeats of one watcher
//
// All scores are 0: the order is that of the members, which compare byte for byte. A score is a float, and a float does
// not hold every microsecond.
type keys string

func newKeys(prefix string) keys { return keys("{" + prefix + "}") }

func (k keys) record(id string) string { return string(k) + ":record:" + id }
func (k keys) all() string             { return string(k) + ":all" }
func (k keys) owner(name string) string {
	return string(k) + ":owner:" + digest(name)
}

func (k keys) parent(id string) string  { return string(k) + ":parent:" + digest(id) }
func (k keys) expiring() string         { return string(k) + ":expiring" }
func (k keys) usage(id string) string   { return string(k) + ":usage:" + id }
func (k keys) rate(id string) string    { return string(k) + ":rate:" + id }
func (k keys) sent(nonce string) string { return string(k) + ":sent:" + nonce }
func (k keys) changes() string          { return string(k) + ":changes" }
func (k keys) beat(nonce string) string { return string(k) + ":beat:" + nonce }

// digest stands for texts that people choose, so that no key says more than an id does and nothing in them means
// anything to Redis: 128 bits of SHA-256, in base64url. Nothing stands for no text. What two texts with one digest would
// mix up, List sorts out.
func digest(texts ...string) string {
	if strings.Join(texts, "") == "" && len(texts) == 1 {
		return ""
	}
	h := sha256.New()
	for _, text := range texts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		h.Write(length[:])
		h.Write([]byte(text))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// Times as text that sorts like them: 16 hex digits, or never.
const (
	instantBytes = 16
	never        = "never" // sorts behind all digits
)

func instant(microseconds int64) string {
	return fmt.Sprintf("%016x", uint64(microseconds)^(1<<63)) //nolint:gosec // the bits, not the number
}

// microseconds counts them since 1970, rounded down. A record's time is between the years 1 and 9999, where all of them
// have a number; what is asked for may lie beyond.
func microseconds(t time.Time) int64 {
	switch year := t.UTC().Year(); {
	case year < -290_000:
		return -1 << 63
	case year > 290_000:
		return 1<<63 - 1
	}
	return t.UnixMicro()
}

const maxID = 80

// checkID is KS6. It does not repeat the id: a credential passed by mistake must not end up in a log.
func checkID(id string) error {
	if id == "" || len(id) > maxID {
		return fmt.Errorf("redisstore: the id has %d bytes: want 1 to %d", len(id), maxID)
	}
	if !consistsOf(id, ":") {
		return errors.New("redisstore: the id has a byte that no id has: want only [0-9A-Za-z:]")
	}
	return nil
}

// consistsOf reports whether text has only letters, digits and others, all of ASCII.
func consistsOf(text, others string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}
