-- Ids are opaque bytes that happen to be UTF-8: collate "C" compares them as such.
-- Times are microseconds since 1970 in UTC; until_at is 9223372036854775807 for "never".

-- reader is the oldest version of the package that can use the tables.
create table if not exists {prefix}schema (
	version int not null primary key,
	reader int not null
);

-- The key of user_hash below. It is made at random with the first row of a person.
create table if not exists {prefix}secret (
	id int not null primary key,
	secret bytea not null
);

-- What is known about users, by keyed hash: one row for each study, and one with study_id '' for the user, in which
-- erased counts and answer is an opt-out. until_at is 0 unless the study is completed. showings are seconds since 1970,
-- 4 bytes each. The days, in days since 1970, are those on which the funnel counts the user. The row of the empty user
-- shows that the key fits.
create table if not exists {prefix}person (
	user_hash bytea not null,
	study_id text collate "C" not null,
	erased smallint not null default 0,
	until_at bigint not null default 0,
	showings bytea not null default '',
	opened_at bigint not null default 0,
	answer smallint not null default 0,
	answered_at bigint not null default 0,
	snoozed_until bigint not null default 0,
	shown_day int not null default -1,
	opened_day int not null default -1,
	snoozed_day int not null default -1,
	declined_day int not null default -1,
	completed_day int not null default -1,
	primary key (user_hash, study_id)
);

-- How many users did something for the first time, by day: 0 shown, 1 opened, 2 snoozed, 3 declined, 4 completed.
create table if not exists {prefix}funnel (
	study_id text collate "C" not null,
	day int not null,
	kind smallint not null,
	users bigint not null,
	primary key (study_id, day, kind)
);

-- Every interview that was recorded. user_id is '' while it is nobody's. erased is 1 once it is known as an erased user's:
-- it never gets a user again. reset is 1 once it no longer completes the study, finished once its job has been done.
create table if not exists {prefix}interview (
	interview_id text collate "C" not null primary key,
	study_id text collate "C" not null,
	user_id text collate "C" not null,
	completed_at bigint not null,
	until_at bigint not null,
	duration bigint not null,
	quality text collate "C" not null,
	language text collate "C" not null,
	ignored smallint not null,
	erased smallint not null,
	finished smallint not null,
	reset smallint not null default 0
);
create index if not exists {prefix}interview_user on {prefix}interview (user_id, completed_at, interview_id);
create index if not exists {prefix}interview_completed on {prefix}interview (completed_at, interview_id);
create index if not exists {prefix}interview_study on {prefix}interview (study_id, completed_at, interview_id);

-- Transcripts that are still to be fetched, or to be handed to the app once fetched is above 0. claim is '' for a job that
-- nobody has claimed.
create table if not exists {prefix}job (
	interview_id text collate "C" not null primary key,
	dead smallint not null default 0,
	queued_at bigint not null,
	due_at bigint not null,
	attempts int not null default 0,
	reason text not null default '',
	claim text not null default '',
	fetched int not null default 0
);
create index if not exists {prefix}job_due on {prefix}job (dead, due_at, interview_id);
create index if not exists {prefix}job_queued on {prefix}job (dead, queued_at);

create table if not exists {prefix}transcript (
	interview_id text collate "C" not null primary key,
	fetched_at bigint not null,
	body bytea not null
);
create index if not exists {prefix}transcript_fetched on {prefix}transcript (fetched_at);

create table if not exists {prefix}dead_letter (
	letter_id text collate "C" not null primary key,
	received_at bigint not null,
	reason text not null,
	body bytea not null
);
create index if not exists {prefix}dead_letter_received on {prefix}dead_letter (received_at, letter_id);

-- saves counts, so that an update that keeps the state the same still changes the row.
create table if not exists {prefix}checkpoint (
	name text collate "C" not null primary key,
	holder text collate "C" not null,
	state bytea not null,
	until_at bigint not null,
	saves bigint not null
);

create table if not exists {prefix}switch (
	name text collate "C" not null primary key,
	is_on smallint not null,
	changed_by text collate "C" not null,
	changed_at bigint not null
);

insert into {prefix}schema (version, reader) values (1, 1) on conflict do nothing;
