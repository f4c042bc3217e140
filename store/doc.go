// Package store defines how askonce keeps who has completed which study, and everything
// else that it remembers about users and interviews.
//
// A [Store] needs two methods. Each other capability is optional. It is a separate
// interface, which [As] finds:
//
//   - [Transcripts]: transcripts, and the queue of those not fetched yet
//   - [Interactions]: what users have seen and answered, and the funnel
//   - [Lister], [Eraser], [Resetter], [Retention]: listing, erasing, resetting and expiring what is stored
//   - [DeadLetters]: signed deliveries that could not be used
//   - [Checkpoints], [Switches]: state that replicas share
//   - [Peeker]: answers from memory
//
// [github.com/askonce/askonce/store/memstore] keeps everything in memory,
// [github.com/askonce/askonce/store/sqlstore] in PostgreSQL, MySQL, MariaDB or
// SQLite, and [github.com/askonce/askonce/store/redisstore] in Redis. All three
// have every capability. [NewCached] puts a cache in front of any store.
//
// This package holds the contract and the cache. Each backend is a package of its own,
// and [github.com/askonce/askonce/store/storetest] tests any of them.
package store
