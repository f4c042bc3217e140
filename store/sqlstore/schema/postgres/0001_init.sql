-- Ids are opaque bytes that are valid UTF-8; collate "C" compares them as bytes.
-- Times are microseconds since 1970 in UTC. An end of 9223372036854775807 means never.

-- The versions of these tables. A program that knows only versions below oldest_reader must not use them.
create table if not exists {prefix}schema (
	version int not null primary key,
	oldest_reader int not null
);

-- The key of the hashes in {prefix}person, made at random on first use. Without it no user can be found there: back it up
-- together with {prefix}person. key_check is derived from the key.
create table if not exists {prefix}secret (
	id int not null primary key,
	secret bytea not null,
	key_check bigint not null
);

-- Every interview that was recorded. user_id is '' for an interview without a user; was_erased marks one that belonged to an
-- erased user and never gets another user. ignored and was_reset keep it from completing its study.
-- job is 0 (no transcript to fetch), 1 (to be fetched at due_at; while claim is not '', due_at ends the lease) or 2 (dead).
create table if not exists {prefix}interview (
	interview_id text collate "C" not null primary key,
	study_id text collate "C" not null,
	user_id text collate "C" not null,
	completed_at bigint not null,
	until_at bigint not null,
	duration bigint not null,
	quality text collate "C" not null,
	language text collate "C" not null,
	ignored smallint not null default 0,
	was_reset smallint not null default 0,
	was_erased smallint not null default 0,
	job smallint not null default 0,
	queued_at bigint not null default 0,
	due_at bigint not null default 0,
	attempts int not null default 0,
	reason text not null default '',
	claim text not null default '',
	fetched smallint not null default 0
);
create index if not exists {prefix}interview_user on {prefix}interview (user_id, completed_at, interview_id);
create index if not exists {prefix}interview_study on {prefix}interview (study_id, completed_at, interview_id);
create index if not exists {prefix}interview_completed on {prefix}interview (completed_at, interview_id);
create index if not exists {prefix}interview_job on {prefix}interview (job, due_at, interview_id) where job <> 0;

-- What is known about a user and a study, by keyed hash of the user; the row with study_id '' is for all studies.
-- completed_until is 0 while the study is not completed. showings has 8 bytes for each showing: big-endian seconds since 1970.
-- answer is 2 (undone), 3 (snoozed), 4 (declined) or 5 (opted out) and means nothing while answered_at is 0.
-- first_* are the days (since 1970) on which {prefix}funnel counts the user.
create table if not exists {prefix}person (
	user_hash bytea not null,
	study_id text collate "C" not null,
	key_check bigint not null,
	erased smallint not null default 0,
	writes int not null default 0,
	completed_until bigint not null default 0,
	showings bytea not null default '',
	opened_at bigint not null default 0,
	answer smallint not null default 0,
	answered_at bigint not null default 0,
	snoozed_until bigint not null default 0,
	first_shown int,
	first_opened int,
	first_snoozed int,
	first_declined int,
	first_completed int,
	primary key (user_hash, study_id)
);

-- How many users did something for the first time in a study on a day (since 1970).
create table if not exists {prefix}funnel (
	study_id text collate "C" not null,
	day int not null,
	shown bigint not null,
	opened bigint not null,
	snoozed bigint not null,
	declined bigint not null,
	completed bigint not null,
	primary key (study_id, day)
);

-- content is the provider's JSON, byte for byte; {prefix}transcript_json reads it as JSON.
create table if not exists {prefix}transcript (
	interview_id text collate "C" not null primary key,
	fetched_at bigint not null,
	content bytea not null
);
create index if not exists {prefix}transcript_fetched on {prefix}transcript (fetched_at, interview_id);

-- For people and reports, for example: select user_id, body->>'summary' from {prefix}transcript_json where study_id = '...'
create or replace view {prefix}transcript_json as
	select t.interview_id, i.study_id, i.user_id, to_timestamp(i.completed_at / 1000000.0) as completed_at, i.quality, i.language,
		to_timestamp(t.fetched_at / 1000000.0) as fetched_at, convert_from(t.content, 'UTF8')::json as body
	from {prefix}transcript t join {prefix}interview i on i.interview_id = t.interview_id;

create table if not exists {prefix}dead_letter (
	letter_id text collate "C" not null primary key,
	received_at bigint not null,
	reason text not null,
	content bytea not null
);
create index if not exists {prefix}dead_letter_received on {prefix}dead_letter (received_at, letter_id);

create table if not exists {prefix}checkpoint (
	name text collate "C" not null primary key,
	holder text collate "C" not null,
	until_at bigint not null,
	state bytea not null,
	writes int not null
);

create table if not exists {prefix}switch (
	name text collate "C" not null primary key,
	is_on smallint not null,
	changed_by text collate "C" not null,
	changed_at bigint not null
);

insert into {prefix}schema (version, oldest_reader) values (1, 1) on conflict do nothing;
