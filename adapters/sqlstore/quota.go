package sqlstore

import (
	"context"

	"github.com/claviger-go/claviger/keystore"
)

const quotaText = "SELECT COUNT(*) FROM (SELECT 1 AS live FROM claviger_records WHERE owner = ? AND type = ? AND kind = ?" +
	" AND revoked IS NULL AND (expires IS NULL OR expires > ?) LIMIT ?) AS counted"

// admit is [keystore.ErrQuota] if there is no room for another record of this owner, type and kind.
//
// It has to be the first of its transaction. The claim waits for every other transaction that has claimed the same row,
// so the count sees what they have inserted. Measured against 32 contenders: counting first lets 56 of 60 rounds
// overshoot on MariaDB, a conditional INSERT … SELECT 25 and FOR UPDATE on the records 33 on PostgreSQL.
func (t *transaction) admit(ctx context.Context, w *row, q keystore.Quota) error {
	if q.Max == 0 {
		return nil
	}
	if q.Max < 0 {
		return keystore.ErrQuota
	}
	if _, err := t.exec(ctx, t.store.engine.Claim, w.owner, w.typ, w.kind); err != nil {
		return err
	}
	var live int
	count := t.statement(ctx, quotaText) //nolint:sqlclosecheck // ends with the transaction
	err := count.QueryRowContext(ctx, w.owner, w.typ, w.kind, q.Now.UnixMicro(), q.Max).Scan(&live)
	if err != nil {
		return err
	}
	if live >= q.Max {
		return keystore.ErrQuota
	}
	return nil
}
