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
//   - [Peeker]: answers from memory, which only [Cache] has
//
// [github.com/askonce/askonce/store/memstore] keeps everything in memory,
// [github.com/askonce/askonce/store/sqlstore] in PostgreSQL, MySQL, MariaDB or
// SQLite, and [github.com/askonce/askonce/store/redisstore] in Redis. All three
// have every other capability. [NewCached] puts a cache in front of any store.
//
// # Implementing a store
//
// A store implements [Store] and any of the other interfaces. Their comments are the
// contract, and [github.com/askonce/askonce/store/storetest] tests it. In addition, every
// method
//
//   - checks its arguments with the Check function for them, before they reach the backend
//   - returns an error that matches the error of its context if that has ended
//   - makes its change as a whole or not at all, except that [Retention].DeleteExpired may
//     stop between two items
//   - shares no slice with its caller
//   - returns [ErrClosed] after Close, if the store is an [io.Closer]
//
// A failing backend is reported by errors that match none of this package, except
// [ErrPermanent] where a retry is useless.
package store
