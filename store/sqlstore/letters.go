package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"iter"
	"math"

	"github.com/askonce/askonce/store"
)

const (
	insertLetter = `insert into {prefix}dead_letter (letter_id, received_at, reason, content) values (?, ?, ?, ?) {conflict:letter_id} letter_id = {new:letter_id}`
	selectLetter = `select letter_id, received_at, reason, content from {prefix}dead_letter
		where received_at >= ? and (received_at > ? or letter_id > ?) order by received_at, letter_id limit ?`
	deleteLetter = `delete from {prefix}dead_letter where letter_id = ?`
)

// AddDeadLetter implements [store.DeadLetters]. It keeps the reason as
// [Store.PostponeJob] does.
func (s *Store) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	sum := sha256.Sum256(d.Body)
	return s.run(ctx, "keep a dead letter", func(q querier) error {
		_, err := q.exec(ctx, insertLetter, hex.EncodeToString(sum[:]), d.ReceivedAt.UnixMicro(), printable(d.Reason), notNil(d.Body))
		return err
	})
}

// DeadLetters implements [store.DeadLetters].
func (s *Store) DeadLetters(ctx context.Context) iter.Seq2[store.DeadLetter, error] {
	return func(yield func(store.DeadLetter, error) bool) {
		const size = 20 // bodies may be large
		inPages(s, ctx, "list dead letters", yield, size, func(q querier, last *store.DeadLetter) (page []store.DeadLetter, err error) {
			from, id := int64(math.MinInt64), ""
			if last != nil {
				from, id = last.ReceivedAt.UnixMicro(), last.ID
			}
			err = q.each(ctx, func(rows *sql.Rows) error {
				var d store.DeadLetter
				var received int64
				err := rows.Scan(&d.ID, &received, &d.Reason, &d.Body)
				d.ReceivedAt = instant(received)
				page = append(page, d)
				return err
			}, selectLetter, from, from, id, size)
			return page, err
		})
	}
}

// DeleteDeadLetter implements [store.DeadLetters].
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	if store.CheckID(id) != nil { // not the id of a letter
		return s.run(ctx, "delete a dead letter", func(querier) error { return store.ErrNotFound })
	}
	return s.affecting(ctx, "delete a dead letter", store.ErrNotFound, deleteLetter, id)
}
