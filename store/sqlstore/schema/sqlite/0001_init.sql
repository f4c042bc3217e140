-- Ids are opaque bytes that are valid UTF-8; text compares them as bytes.
-- Times are microseconds since 1970 in UTC. An end of 9223372036854775807 means never.

-- The versions of these tables. A program that knows only versions below oldest_reader must not use them.
create table if not exists {prefix}schema (
	version integer not null primary key,
	oldest_reader integer not null
) without rowid;

-- The key of the hashes in {prefix}person, made at random on first use. Without it no user can be found there: back it up
-- together with {prefix}person. key_check is derived from the key.
create table if not exists {prefix}secret (
	id integer not null primary key,
	secret blob not null,
	key_check integer not null
) without rowid;

-- Every interview that was recorded. user_id is '' for an interview without a user; was_erased marks one that belonged to an
-- erased user and never gets another user. ignored and was_reset keep it from completing its study.
-- job is 0 (no transcript to fetch), 1 (to be fetched at due_at; while claim is not '', due_at ends the lease) or 2 (dead).
create table if not exists {prefix}interview (
	interview_id text not null primary key,
	study_id text not null,
	user_id text not null,
	completed_at integer not null,
	until_at integer not null,
	duration integer not null,
	quality text not null,
	language text not null,
	ignored integer not null default 0,
	was_reset integer not null default 0,
	was_erased integer not null default 0,
	job integer not null default 0,
	queued_at integer not null default 0,
	due_at integer not null default 0,
	attempts integer not null default 0,
	reason text not null default '',
	claim text not null default '',
	fetched integer not null default 0
);
create index if not exists {prefix}interview_user on {prefix}interview (user_id, completed_at, interview_id);
create index if not exists {prefix}interview_study on {prefix}interview (study_id, completed_at, interview_id);
create index if not exists {prefix}interview_completed on {prefix}interview (completed_at, interview_id);
create index if not exists {prefix}interview_job on {prefix}interview (job, due_at, interview_id);

-- What is known about a user and a study, by keyed hash of the user; the row with study_id '' is for all studies.
-- completed_until is 0 while the study is not completed. showings has 8 bytes for each showing: big-endian seconds since 1970.
-- answer is 2 (undone), 3 (snoozed), 4 (declined) or 5 (opted out) and means nothing while answered_at is 0.
-- first_* are the days (since 1970) on which {prefix}funnel counts the user.
create table if not exists {prefix}person (
	user_hash blob not null,
	study_id text not null,
	key_check integer not null,
	erased integer not null default 0,
	writes integer not null default 0,
	completed_until integer not null default 0,
	showings blob not null default x'',
	opened_at integer not null default 0,
	answer integer not null default 0,
	answered_at integer not null default 0,
	snoozed_until integer not null default 0,
	first_shown integer,
	first_opened integer,
	first_snoozed integer,
	first_declined integer,
	first_completed integer,
	primary key (user_hash, study_id)
) without rowid;

-- How many users did something for the first time in a study on a day (since 1970).
create table if not exists {prefix}funnel (
	study_id text not null,
	day integer not null,
	shown integer not null,
	opened integer not null,
	snoozed integer not null,
	declined integer not null,
	completed integer not null,
	primary key (study_id, day)
) without rowid;

-- content is the provider's JSON, byte for byte; {prefix}transcript_json reads it as JSON.
create table if not exists {prefix}transcript (
	interview_id text not null primary key,
	fetched_at integer not null,
	content blob not null
);
create index if not exists {prefix}transcript_fetched on {prefix}transcript (fetched_at, interview_id);

-- For people and reports, for example: select user_id, body->>'summary' from {prefix}transcript_json where study_id = '...'
create view if not exists {prefix}transcript_json as
	select t.interview_id, i.study_id, i.user_id, strftime('%Y-%m-%d %H:%M:%f', i.completed_at / 1000000.0, 'unixepoch') as completed_at,
		i.quality, i.language, strftime('%Y-%m-%d %H:%M:%f', t.fetched_at / 1000000.0, 'unixepoch') as fetched_at, cast(t.content as text) as body
	from {prefix}transcript t join {prefix}interview i on i.interview_id = t.interview_id;

create table if not exists {prefix}dead_letter (
	letter_id text not null primary key,
	received_at integer not null,
	reason text not null,
	content blob not null
);
create index if not exists {prefix}dead_letter_received on {prefix}dead_letter (received_at, letter_id);

create table if not exists {prefix}checkpoint (
	name text not null primary key,
	holder text not null,
	until_at integer not null,
	state blob not null,
	writes integer not null
) without rowid;

create table if not exists {prefix}switch (
	name text not null primary key,
	is_on integer not null,
	changed_by text not null,
	changed_at integer not null
) without rowid;

insert into {prefix}schema (version, oldest_reader) values (1, 1) on conflict do nothing;
