-- Ids are opaque bytes that happen to be UTF-8. Every utf8mb4 collation that MySQL and MariaDB share takes some of them
-- for equal (at least "a" and "a "); varbinary takes none.
-- Times are microseconds since 1970 in UTC; until_at is 9223372036854775807 for "never".

create table if not exists {prefix}schema (
	version int not null primary key
) engine=innodb;

-- The key of the hashes below. It is made at random when the store is first used.
create table if not exists {prefix}secret (
	id int not null primary key,
	secret varbinary(64) not null
) engine=innodb;

-- Every interview that was recorded; user_id is '' for an anonymous one, and for one that belonged to somebody who was
-- erased, where erased is 1: such an interview never gets a user again. repeats counts the later calls: an insert that
-- changes the row of an earlier one is told from a first one whatever the connection's clientFoundRows says.
create table if not exists {prefix}interview (
	interview_id varbinary(256) not null primary key,
	study_id varbinary(256) not null,
	user_id varbinary(256) not null,
	completed_at bigint not null,
	until_at bigint not null,
	duration bigint not null,
	quality varbinary(256) not null,
	language varbinary(256) not null,
	erased smallint not null default 0,
	repeats bigint not null default 0,
	key user_id (user_id),
	key completed_at (completed_at, interview_id)
) engine=innodb;

-- Who has completed what, until when, by keyed hash of study and user.
create table if not exists {prefix}mark (
	key_hash binary(16) not null primary key,
	until_at bigint not null
) engine=innodb;

-- Who was erased, by keyed hash of the user.
create table if not exists {prefix}erased (
	user_hash binary(16) not null primary key
) engine=innodb;

-- Transcripts that are still to be fetched. claim is '' for a job that nobody has claimed.
create table if not exists {prefix}job (
	interview_id varbinary(256) not null primary key,
	dead smallint not null,
	queued_at bigint not null,
	due_at bigint not null,
	attempts int not null,
	reason varbinary(1024) not null,
	claim varbinary(64) not null,
	key due_at (dead, due_at, interview_id)
) engine=innodb;

create table if not exists {prefix}transcript (
	interview_id varbinary(256) not null primary key,
	fetched_at bigint not null,
	body longblob not null
) engine=innodb;

create table if not exists {prefix}dead_letter (
	letter_id varbinary(64) not null primary key,
	received_at bigint not null,
	reason varbinary(1024) not null,
	body longblob not null
) engine=innodb;

-- saves counts, so that an update that keeps the state the same still changes the row.
create table if not exists {prefix}checkpoint (
	name varbinary(256) not null primary key,
	holder varbinary(256) not null,
	state blob not null,
	until_at bigint not null,
	saves bigint not null
) engine=innodb;

insert into {prefix}schema (version) values (1) on duplicate key update version = version;
