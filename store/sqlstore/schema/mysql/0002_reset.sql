-- When a user was reset in a study, by keyed hash as in {prefix}person: events in a browser's cookie up to then do not count.
-- A table of its own, because not every database can add a column only if it is missing.
create table if not exists {prefix}reset (
	user_hash binary(16) not null,
	study_id varbinary(256) not null,
	reset_at bigint not null,
	primary key (user_hash, study_id)
) engine=innodb;

insert into {prefix}schema (version, oldest_reader) values (2, 1) on duplicate key update version = version;
