// Package store defines how askonce keeps who has completed which study, and
// what else it remembers about users and interviews.
//
// A [Store] needs two methods. Everything else is an optional capability, an
// interface of its own that [As] looks up:
//
//   - [Transcripts]: transcripts, and the queue of those still to be fetched
//   - [Interactions]: what users have seen and answered, and the funnel
//   - [Lister], [Eraser], [Resetter], [Retention]: looking at, forgetting and ageing what is stored
//   - [DeadLetters]: signed deliveries that could not be used
//   - [Checkpoints], [Switches]: what replicas share
//
// [github.com/askonce/askonce/store/memstore] keeps everything in memory,
// [github.com/askonce/askonce/store/sqlstore] in PostgreSQL, MySQL, MariaDB or
// SQLite, and [github.com/askonce/askonce/store/redisstore] in Redis. All three
// have every capability. [NewCached] puts a cache in front of any store.
//
// What lives here is the contract and the cache. Backends have packages of their
// own, and [github.com/askonce/askonce/store/storetest] tests them.
package store
