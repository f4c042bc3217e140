-- Ids are opaque bytes that happen to be UTF-8: text compares as such unless told otherwise.
-- Times are microseconds since 1970 in UTC; until_at is 9223372036854775807 for "never".

-- reader is the oldest version of the package that can use the tables.
create table if not exists {prefix}schema (
	version integer not null primary key,
	reader integer not null
) without rowid;

-- The key of user_hash below. It is made at random with the first row of a person.
create table if not exists {prefix}secret (
	id integer not null primary key,
	secret blob not null
) without rowid;

-- What is known about users, by keyed hash: one row for each study, and one with study_id '' for the user, in which
-- erased counts and answer is an opt-out. until_at is 0 unless the study is completed. showings are seconds since 1970,
-- 4 bytes each. The days, in days since 1970, are those on which the funnel counts the user. The row of the empty user
-- shows that the key fits.
create table if not exists {prefix}person (
	user_hash blob not null,
	study_id text not null,
	erased integer not null default 0,
	until_at integer not null default 0,
	showings blob not null default x'',
	opened_at integer not null default 0,
	answer integer not null default 0,
	answered_at integer not null default 0,
	snoozed_until integer not null default 0,
	shown_day integer not null default -1,
	opened_day integer not null default -1,
	snoozed_day integer not null default -1,
	declined_day integer not null default -1,
	completed_day integer not null default -1,
	primary key (user_hash, study_id)
) without rowid;

-- How many users did something for the first time, by day: 0 shown, 1 opened, 2 snoozed, 3 declined, 4 completed.
create table if not exists {prefix}funnel (
	study_id text not null,
	day integer not null,
	kind integer not null,
	users integer not null,
	primary key (study_id, day, kind)
) without rowid;

-- Every interview that was recorded. user_id is '' while it is nobody's. erased is 1 once it is known as an erased user's:
-- it never gets a user again. reset is 1 once it no longer completes the study, finished once its job has been done.
create table if not exists {prefix}interview (
	interview_id text not null primary key,
	study_id text not null,
	user_id text not null,
	completed_at integer not null,
	until_at integer not null,
	duration integer not null,
	quality text not null,
	language text not null,
	ignored integer not null,
	erased integer not null,
	finished integer not null,
	reset integer not null default 0
) without rowid;
create index if not exists {prefix}interview_user on {prefix}interview (user_id, completed_at, interview_id);
create index if not exists {prefix}interview_completed on {prefix}interview (completed_at, interview_id);
create index if not exists {prefix}interview_study on {prefix}interview (study_id, completed_at, interview_id);

-- Transcripts that are still to be fetched, or to be handed to the app once fetched is above 0. claim is '' for a job that
-- nobody has claimed.
create table if not exists {prefix}job (
	interview_id text not null primary key,
	dead integer not null default 0,
	queued_at integer not null,
	due_at integer not null,
	attempts integer not null default 0,
	reason text not null default '',
	claim text not null default '',
	fetched integer not null default 0
) without rowid;
create index if not exists {prefix}job_due on {prefix}job (dead, due_at, interview_id);
create index if not exists {prefix}job_queued on {prefix}job (dead, queued_at);

create table if not exists {prefix}transcript (
	interview_id text not null primary key,
	fetched_at integer not null,
	body blob not null
);
create index if not exists {prefix}transcript_fetched on {prefix}transcript (fetched_at);

create table if not exists {prefix}dead_letter (
	letter_id text not null primary key,
	received_at integer not null,
	reason text not null,
	body blob not null
);
create index if not exists {prefix}dead_letter_received on {prefix}dead_letter (received_at, letter_id);

-- saves counts, so that an update that keeps the state the same still changes the row.
create table if not exists {prefix}checkpoint (
	name text not null primary key,
	holder text not null,
	state blob not null,
	until_at integer not null,
	saves integer not null
) without rowid;

create table if not exists {prefix}switch (
	name text not null primary key,
	is_on integer not null,
	changed_by text not null,
	changed_at integer not null
) without rowid;

insert into {prefix}schema (version, reader) values (1, 1) on conflict do nothing;
