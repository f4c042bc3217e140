-- Ids are opaque bytes that happen to be UTF-8: text compares as such unless told otherwise.
-- Times are microseconds since 1970 in UTC; until_at is 9223372036854775807 for "never".

create table if not exists {prefix}schema (
	version integer not null primary key
) without rowid;

-- The key of the hashes below. It is made at random when the store is first used.
create table if not exists {prefix}secret (
	id integer not null primary key,
	secret blob not null
) without rowid;

-- Every interview that was recorded; user_id is '' for an anonymous one, and for one that
-- belonged to somebody who was erased, where erased is 1: such an interview never gets a user again.
create table if not exists {prefix}interview (
	interview_id text not null primary key,
	study_id text not null,
	user_id text not null,
	completed_at integer not null,
	until_at integer not null,
	duration integer not null,
	quality text not null,
	language text not null,
	erased integer not null default 0
) without rowid;
create index if not exists {prefix}interview_user on {prefix}interview (user_id);
create index if not exists {prefix}interview_completed on {prefix}interview (completed_at, interview_id);

-- Who has completed what, until when, by keyed hash of study and user.
create table if not exists {prefix}mark (
	key_hash blob not null primary key,
	until_at integer not null
) without rowid;

-- Who was erased, by keyed hash of the user.
create table if not exists {prefix}erased (
	user_hash blob not null primary key
) without rowid;

-- Transcripts that are still to be fetched. claim is '' for a job that nobody has claimed.
create table if not exists {prefix}job (
	interview_id text not null primary key,
	dead integer not null,
	queued_at integer not null,
	due_at integer not null,
	attempts integer not null,
	reason text not null,
	claim text not null
) without rowid;
create index if not exists {prefix}job_due on {prefix}job (dead, due_at, interview_id);

create table if not exists {prefix}transcript (
	interview_id text not null primary key,
	fetched_at integer not null,
	body blob not null
);

create table if not exists {prefix}dead_letter (
	letter_id text not null primary key,
	received_at integer not null,
	reason text not null,
	body blob not null
);

-- saves counts, so that an update that keeps the state the same still changes the row.
create table if not exists {prefix}checkpoint (
	name text not null primary key,
	holder text not null,
	state blob not null,
	until_at integer not null,
	saves integer not null
) without rowid;

insert into {prefix}schema (version) values (1) on conflict do nothing;
