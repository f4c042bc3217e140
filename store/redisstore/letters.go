package redisstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/askonce/askonce/store"
)

var addLetterScript = redis.NewScript(`
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[3]) == 1 then
	redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
end
return 0
`)

// AddDeadLetter implements store.DeadLetters.
func (s *Store) AddDeadLetter(ctx context.Context, d store.DeadLetter) error {
	if err := check(ctx, nil); err != nil {
		return err
	}
	sum := sha256.Sum256(d.Body)
	at := micros(d.ReceivedAt)
	value := at + "\n" + printable(d.Reason) + "\n" + string(d.Body)
	keys := []string{s.keys.letters, s.keys.lettersByTime}
	return failed("add dead letter", addLetterScript.Run(ctx, s.client, keys, hex.EncodeToString(sum[:]), at, value).Err())
}

// DeadLetters implements store.DeadLetters. It lists what was there when it
// began, one at a time.
func (s *Store) DeadLetters(ctx context.Context) iter.Seq2[store.DeadLetter, error] {
	return func(yield func(store.DeadLetter, error) bool) {
		if err := check(ctx, nil); err != nil {
			yield(store.DeadLetter{}, err)
			return
		}
		ids, err := s.client.ZRange(ctx, s.keys.lettersByTime, 0, -1).Result()
		if err != nil {
			yield(store.DeadLetter{}, failed("dead letters", err))
			return
		}
		for _, id := range ids {
			text, err := s.client.HGet(ctx, s.keys.letters, id).Result()
			if err == redis.Nil {
				continue // deleted meanwhile
			}
			d, err := readLetter(id, text, err)
			if !yield(d, failed("dead letters", err)) || err != nil {
				return
			}
		}
	}
}

func readLetter(id, text string, err error) (store.DeadLetter, error) {
	if err != nil {
		return store.DeadLetter{}, err
	}
	at, text, _ := strings.Cut(text, "\n")
	reason, body, _ := strings.Cut(text, "\n")
	received, err := instant(at)
	return store.DeadLetter{ID: id, ReceivedAt: received, Reason: reason, Body: []byte(body)}, err
}

// DeleteDeadLetter implements store.DeadLetters.
func (s *Store) DeleteDeadLetter(ctx context.Context, id string) error {
	if err := check(ctx, nil); err != nil {
		return err
	}
	var deleted *redis.IntCmd
	_, err := s.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		deleted = tx.HDel(ctx, s.keys.letters, id)
		tx.ZRem(ctx, s.keys.lettersByTime, id)
		return nil
	})
	if err == nil && deleted.Val() == 0 {
		return store.ErrNotFound
	}
	return failed("delete dead letter", err)
}
