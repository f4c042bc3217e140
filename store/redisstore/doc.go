// Package redisstore keeps completions, transcripts and their queue in Redis.
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
//	done, err := redisstore.New(client, nil)
//
// # Durability
//
// The webhook answers 200 once Record has returned, and a delivery that got 200
// is never repeated. Redis as it is installed keeps that promise only until the
// next crash: it writes a snapshot now and then. For "200 means kept" the server
// needs
//
//	appendonly yes
//	appendfsync always
//
// With appendfsync everysec a crash of the machine loses up to a second, which
// the webhook's reconciliation finds again. Replication is asynchronous: a
// failover may lose what the replica had not seen yet, whatever the settings.
// The maxmemory-policy must be noeviction, or Redis forgets who has completed
// what when memory runs out; with noeviction it refuses new completions instead,
// and the webhook answers 503. Check looks for all of these.
//
// # Keys
//
// All keys begin with the prefix in braces, "{askonce}:" by default: a hash tag,
// so that every change is one atomic script on one node, on Redis Cluster too.
// Completions are few, one for each interview: with ids of 36 bytes about 700
// bytes each, and 300 more until their transcript is fetched. Two apps that share
// a server need two prefixes.
//
//	{askonce}:interviews   hash    interview id → completion, JSON
//	{askonce}:completed    hash    study NUL user → end of the completion, µs, 0 for never
//	{askonce}:by_time      zset    interview ids by completion time
//	{askonce}:by_user      zset    user NUL interview id, all of one score
//	{askonce}:erased       set     keyed hashes of erased users
//	{askonce}:key          string  what they are keyed with
//	{askonce}:jobs         hash    interview id → job, JSON
//	{askonce}:due, :dead   zset    interview ids of pending and dead jobs, by due time
//	{askonce}:transcripts  hash    interview id → µs, line feed, body
//	{askonce}:letters      hash    id → µs, line feed, reason, line feed, body
//	{askonce}:letters_by_time      zset
//	{askonce}:checkpoints  hash    name → lease and state, JSON
//
// No key expires. A client with ContextTimeoutEnabled lets a request's deadline
// end a command that is under way; without it the client's own timeouts do.
//
// Redis 6.2 and later, and Valkey, are supported.
package redisstore
