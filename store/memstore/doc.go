// Package memstore keeps everything that askonce stores in the memory of one process. It
// is meant for tests, examples and first steps: a restart forgets who has completed what,
// and replicas do not share it. In production use
// [github.com/askonce/askonce/store/sqlstore] or
// [github.com/askonce/askonce/store/redisstore].
package memstore
