-- Ids are opaque bytes that happen to be UTF-8: collate "C" compares them as such.
-- Times are microseconds since 1970 in UTC; until_at is 9223372036854775807 for "never".

create table if not exists {prefix}schema (
	version int not null primary key
);

-- The key of the hashes below. It is made at random when the store is first used.
create table if not exists {prefix}secret (
	id int not null primary key,
	secret bytea not null
);

-- Every interview that was recorded; user_id is '' for an anonymous one, and for one that
-- belonged to somebody who was erased, where erased is 1: such an interview never gets a user again.
create table if not exists {prefix}interview (
	interview_id text collate "C" not null primary key,
	study_id text collate "C" not null,
	user_id text collate "C" not null,
	completed_at bigint not null,
	until_at bigint not null,
	duration bigint not null,
	quality text collate "C" not null,
	language text collate "C" not null,
	erased smallint not null default 0
);
create index if not exists {prefix}interview_user on {prefix}interview (user_id);
create index if not exists {prefix}interview_completed on {prefix}interview (completed_at, interview_id);

-- Who has completed what, until when, by keyed hash of study and user.
create table if not exists {prefix}mark (
	key_hash bytea not null primary key,
	until_at bigint not null
);

-- Who was erased, by keyed hash of the user.
create table if not exists {prefix}erased (
	user_hash bytea not null primary key
);

-- Transcripts that are still to be fetched. claim is '' for a job that nobody has claimed.
create table if not exists {prefix}job (
	interview_id text collate "C" not null primary key,
	dead smallint not null,
	queued_at bigint not null,
	due_at bigint not null,
	attempts int not null,
	reason text not null,
	claim text not null
);
create index if not exists {prefix}job_due on {prefix}job (dead, due_at, interview_id);

create table if not exists {prefix}transcript (
	interview_id text collate "C" not null primary key,
	fetched_at bigint not null,
	body bytea not null
);

create table if not exists {prefix}dead_letter (
	letter_id text collate "C" not null primary key,
	received_at bigint not null,
	reason text not null,
	body bytea not null
);

-- saves counts, so that an update that keeps the state the same still changes the row.
create table if not exists {prefix}checkpoint (
	name text collate "C" not null primary key,
	holder text collate "C" not null,
	state bytea not null,
	until_at bigint not null,
	saves bigint not null
);

insert into {prefix}schema (version) values (1) on conflict do nothing;
