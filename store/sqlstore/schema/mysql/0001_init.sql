-- Ids are opaque bytes that are valid UTF-8. Every utf8mb4 collation that MySQL and MariaDB share takes some of them for equal,
-- such as "a" and "a "; varbinary takes none.
-- Times are microseconds since 1970 in UTC. An end of 9223372036854775807 means never.

-- The versions of these tables. A program that knows only versions below oldest_reader must not use them.
create table if not exists {prefix}schema (
	version int not null primary key,
	oldest_reader int not null
) engine=innodb;

-- The key of the hashes in {prefix}person, made at random on first use. Without it no user can be found there: back it up
-- together with {prefix}person. key_check is derived from the key.
create table if not exists {prefix}secret (
	id int not null primary key,
	secret varbinary(64) not null,
	key_check bigint not null
) engine=innodb;

-- Every interview that was recorded. user_id is '' for an interview without a user; was_erased marks one that belonged to an
-- erased user and never gets another user. ignored and was_reset keep it from completing its study.
-- job is 0 (no transcript to fetch), 1 (to be fetched at due_at; while claim is not '', due_at ends the lease) or 2 (dead).
create table if not exists {prefix}interview (
	interview_id varbinary(256) not null primary key,
	study_id varbinary(256) not null,
	user_id varbinary(256) not null,
	completed_at bigint not null,
	until_at bigint not null,
	duration bigint not null,
	quality varbinary(256) not null,
	language varbinary(256) not null,
	ignored smallint not null default 0,
	was_reset smallint not null default 0,
	was_erased smallint not null default 0,
	job smallint not null default 0,
	queued_at bigint not null default 0,
	due_at bigint not null default 0,
	attempts int not null default 0,
	reason varbinary(1024) not null default '',
	claim varbinary(64) not null default '',
	fetched smallint not null default 0,
	key user_key (user_id, completed_at, interview_id),
	key study_key (study_id, completed_at, interview_id),
	key completed_key (completed_at, interview_id),
	key job_key (job, due_at, interview_id)
) engine=innodb;

-- What is known about a user and a study, by keyed hash of the user; the row with study_id '' is for all studies.
-- completed_until is 0 while the study is not completed. showings has 8 bytes for each showing: big-endian seconds since 1970.
-- answer is 2 (undone), 3 (snoozed), 4 (declined) or 5 (opted out) and means nothing while answered_at is 0.
-- first_* are the days (since 1970) on which {prefix}funnel counts the user.
create table if not exists {prefix}person (
	user_hash binary(16) not null,
	study_id varbinary(256) not null,
	key_check bigint not null,
	erased smallint not null default 0,
	writes int not null default 0,
	completed_until bigint not null default 0,
	showings varbinary(2040) not null default '',
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
) engine=innodb;

-- How many users did something for the first time in a study on a day (since 1970).
create table if not exists {prefix}funnel (
	study_id varbinary(256) not null,
	day int not null,
	shown bigint not null,
	opened bigint not null,
	snoozed bigint not null,
	declined bigint not null,
	completed bigint not null,
	primary key (study_id, day)
) engine=innodb;

-- content is the provider's JSON, byte for byte; {prefix}transcript_json reads it as JSON.
create table if not exists {prefix}transcript (
	interview_id varbinary(256) not null primary key,
	fetched_at bigint not null,
	content longblob not null,
	key fetched_key (fetched_at, interview_id)
) engine=innodb;

-- For people and reports, for example: select user_id, json_value(body, '$.summary') from {prefix}transcript_json where study_id = '...'
create or replace view {prefix}transcript_json as
	select convert(t.interview_id using utf8mb4) as interview_id, convert(i.study_id using utf8mb4) as study_id,
		convert(i.user_id using utf8mb4) as user_id, from_unixtime(i.completed_at / 1000000) as completed_at,
		convert(i.quality using utf8mb4) as quality, convert(i.language using utf8mb4) as language,
		from_unixtime(t.fetched_at / 1000000) as fetched_at, convert(t.content using utf8mb4) as `body`
	from {prefix}transcript t join {prefix}interview i on i.interview_id = t.interview_id;

create table if not exists {prefix}dead_letter (
	letter_id varbinary(64) not null primary key,
	received_at bigint not null,
	reason varbinary(1024) not null,
	content longblob not null,
	key received_key (received_at, letter_id)
) engine=innodb;

create table if not exists {prefix}checkpoint (
	name varbinary(256) not null primary key,
	holder varbinary(256) not null,
	until_at bigint not null,
	state blob not null,
	writes int not null
) engine=innodb;

create table if not exists {prefix}switch (
	name varbinary(256) not null primary key,
	is_on smallint not null,
	changed_by varbinary(256) not null,
	changed_at bigint not null
) engine=innodb;

insert into {prefix}schema (version, oldest_reader) values (1, 1) on duplicate key update version = version;
