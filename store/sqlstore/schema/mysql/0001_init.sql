-- Ids are opaque bytes that happen to be UTF-8. Every utf8mb4 collation that MySQL and MariaDB share takes some of them
-- for equal (at least "a" and "a "); varbinary takes none.
-- Times are microseconds since 1970 in UTC; until_at is 9223372036854775807 for "never".

-- reader is the oldest version of the package that can use the tables.
create table if not exists {prefix}schema (
	version int not null primary key,
	reader int not null
) engine=innodb;

-- The key of user_hash below. It is made at random with the first row of a person.
create table if not exists {prefix}secret (
	id int not null primary key,
	secret varbinary(64) not null
) engine=innodb;

-- What is known about users, by keyed hash: one row for each study, and one with study_id '' for the user, in which
-- erased counts and answer is an opt-out. until_at is 0 unless the study is completed. showings are seconds since 1970,
-- 4 bytes each. The days, in days since 1970, are those on which the funnel counts the user. The row of the empty user
-- shows that the key fits.
create table if not exists {prefix}person (
	user_hash binary(16) not null,
	study_id varbinary(256) not null,
	erased smallint not null default 0,
	until_at bigint not null default 0,
	showings varbinary(1020) not null default '',
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
) engine=innodb;

-- How many users did something for the first time, by day: 0 shown, 1 opened, 2 snoozed, 3 declined, 4 completed.
create table if not exists {prefix}funnel (
	study_id varbinary(256) not null,
	day int not null,
	kind smallint not null,
	users bigint not null,
	primary key (study_id, day, kind)
) engine=innodb;

-- Every interview that was recorded. user_id is '' while it is nobody's. erased is 1 once it is known as an erased user's:
-- it never gets a user again. reset is 1 once it no longer completes the study, finished once its job has been done.
-- repeats counts later inserts: one that changes the row is told from the first whatever clientFoundRows says.
create table if not exists {prefix}interview (
	interview_id varbinary(256) not null primary key,
	study_id varbinary(256) not null,
	user_id varbinary(256) not null,
	completed_at bigint not null,
	until_at bigint not null,
	duration bigint not null,
	quality varbinary(256) not null,
	language varbinary(256) not null,
	ignored smallint not null,
	erased smallint not null,
	finished smallint not null,
	reset smallint not null default 0,
	repeats bigint not null default 0,
	key user_id (user_id, completed_at, interview_id),
	key completed_at (completed_at, interview_id),
	key study_id (study_id, completed_at, interview_id)
) engine=innodb;

-- Transcripts that are still to be fetched, or to be handed to the app once fetched is above 0. claim is '' for a job that
-- nobody has claimed.
create table if not exists {prefix}job (
	interview_id varbinary(256) not null primary key,
	dead smallint not null default 0,
	queued_at bigint not null,
	due_at bigint not null,
	attempts int not null default 0,
	reason varbinary(1024) not null default '',
	claim varbinary(64) not null default '',
	fetched int not null default 0,
	key due_at (dead, due_at, interview_id),
	key queued_at (dead, queued_at)
) engine=innodb;

create table if not exists {prefix}transcript (
	interview_id varbinary(256) not null primary key,
	fetched_at bigint not null,
	body longblob not null,
	key fetched_at (fetched_at)
) engine=innodb;

create table if not exists {prefix}dead_letter (
	letter_id varbinary(64) not null primary key,
	received_at bigint not null,
	reason varbinary(1024) not null,
	body longblob not null,
	key received_at (received_at, letter_id)
) engine=innodb;

-- saves counts, so that an update that keeps the state the same still changes the row.
create table if not exists {prefix}checkpoint (
	name varbinary(256) not null primary key,
	holder varbinary(256) not null,
	state blob not null,
	until_at bigint not null,
	saves bigint not null
) engine=innodb;

create table if not exists {prefix}switch (
	name varbinary(256) not null primary key,
	is_on smallint not null,
	changed_by varbinary(256) not null,
	changed_at bigint not null
) engine=innodb;

insert into {prefix}schema (version, reader) values (1, 1) on duplicate key update version = version;
