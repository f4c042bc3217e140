// Package redisstore keeps everything that askonce stores in Redis or Valkey.
//
//	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", ContextTimeoutEnabled: true})
//	s, err := redisstore.New(client, nil)
//
// # Durability
//
// The webhook answers 200 once Record has returned, and the provider may never repeat a
// delivery that was answered with 200. By default, Redis writes only an occasional
// snapshot, so a crash loses what came after it. To keep every acknowledged completion,
// the server needs
//
//	appendonly yes
//	appendfsync always
//
// With appendfsync everysec a crash of the machine loses up to a second, which the
// webhook's reconciliation finds again. Replication is asynchronous: whatever the
// settings, a failover may lose what the replica had not received. maxmemory-policy must
// be noeviction. With any other policy Redis forgets who has completed what when memory
// runs out. With noeviction it refuses new completions instead, and the webhook answers
// 503. [Store.Check] checks all of this, and whether the client's user may call every
// command.
//
// # Keys
//
// All keys begin with the prefix in braces, "{askonce}:" by default. The braces make a
// hash tag, so that on Redis Cluster, too, every change is one atomic script on one node.
// With ids of 36 bytes, an interview takes about 1,000 bytes, and 300 more until its
// transcript is fetched. Two apps that share a server need two prefixes.
//
//	{askonce}:interviews       hash    interview id → completion, JSON
//	{askonce}:by_time, :study:…        zset of interview ids by completion time, of all and of one study
//	{askonce}:by_user          zset    user NUL interview id, all of one score
//	{askonce}:people           hash    keyed hash of a user → completions, showings and answers, JSON
//	{askonce}:key              string  the key of these hashes
//	{askonce}:funnel           hash    study NUL day NUL kind → users
//	{askonce}:jobs             hash    interview id → job, JSON
//	{askonce}:due, :dead       zset    interview ids of pending and dead jobs, by due time
//	{askonce}:claim:…          string  the interview ids of one ClaimJobs, for a minute
//	{askonce}:transcripts      hash    interview id → µs, line feed, body
//	{askonce}:transcripts_by_time      zset
//	{askonce}:letters          hash    id → µs, line feed, reason, line feed, body
//	{askonce}:letters_by_time          zset
//	{askonce}:checkpoints      hash    name → lease and state, JSON
//	{askonce}:switches         hash    name → setting, JSON
//	{askonce}:check:…          for the length of one Check
//
// Only claims expire. If the client has ContextTimeoutEnabled, a request's deadline ends
// a command in flight; otherwise the client's own timeouts do. Leases are measured by the
// server's clock.
//
// Redis 6.2 and later, and Valkey, are supported.
package redisstore
