package store_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // it logs the errors that these tests are about
	m.Run()
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
