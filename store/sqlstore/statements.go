package sqlstore

import (
	"fmt"
	"strings"
)

// statements are the SQL texts in one dialect. In their sources {prefix} is the
// prefix of the tables, {now} the database's clock in microseconds, and ?t, ?i and
// ?b are arguments of text, integers and bytes.
type statements struct {
	version, secret, keyFits, keepSecret, keepCheck string

	completed, person string // a page view is one of these

	interview, lockInterview, insertInterview, lockPerson, isErased      string
	complete, insertJob, healed, revise, attribute, disown, latest, mark string

	lockStudy, study, keepStudy, count, funnel string
	countedDay, keepCountedDay                 [kinds]string

	erasePerson, interviewsOf, resetPerson, resetInterviews string

	claim, due, takeJob, jobs, orphans                                      string
	extendJob, fetchedJob, finishJob, finished, postponeJob, killJob        string
	requeueJob, requeueJobs, pendingJobs, deadJobs, transcript, replaceBody string
	deleteJob, deleteTranscript                                             string

	insertLetter, letters, deleteLetter     string
	acquire, checkpoint, save               string
	setSwitch, switches                     string
	oldTranscripts, oldDeadJobs, oldLetters string
}

const (
	interviewColumns = `i.interview_id, i.study_id, i.user_id, i.completed_at, i.until_at, i.duration, i.quality, i.language, i.ignored`
	jobColumns       = interviewColumns + `, j.queued_at, j.due_at, j.attempts, j.reason, j.fetched`
	jobTables        = `{prefix}job j join {prefix}interview i on i.interview_id = j.interview_id`
	stateOfInterview = `select study_id, user_id, quality, until_at, completed_at, ignored, erased, reset, finished from {prefix}interview where interview_id = ?t`
)

func newStatements(d *dialect, prefix string) *statements {
	r := func(text string) string { return d.render(text, prefix) }
	once := func(text, column string) string {
		return r(text + ` ` + strings.ReplaceAll(d.insertOnce, `{column}`, column))
	}
	upsert := func(text, key, set string) string {
		return r(text + ` ` + strings.ReplaceAll(d.upsert, `{key}`, key) + ` ` + set)
	}
	// The row of no study stands for the user; whoever writes about the user locks
	// it. It is inserted only if the row of the key's check is there.
	person := func(set string) string {
		return upsert(`insert into {prefix}person (user_hash, study_id) select ?b, ?t from {prefix}person k where k.user_hash = ?b and k.study_id = ''`,
			`user_hash, study_id`, set)
	}
	lock := person(`erased = {prefix}person.erased`)

	t := &statements{
		version:    r(`select coalesce(max(version), 0), coalesce(max(reader), 0) from {prefix}schema`),
		secret:     r(`select secret from {prefix}secret where id = 1`),
		keyFits:    r(`select (select count(*) from {prefix}person where user_hash = ?b and study_id = ''), (select count(*) from (select 1 from {prefix}person limit 1) any_row)`),
		keepSecret: once(`insert into {prefix}secret (id, secret) values (1, ?b)`, `id`),
		keepCheck:  once(`insert into {prefix}person (user_hash, study_id) values (?b, '')`, `study_id`),

		completed: r(`select study_id, until_at from {prefix}person where user_hash in (?b, ?b) and study_id in (?t, '')`),
		person: r(`select user_hash, study_id, until_at, showings, opened_at, answer, answered_at, snoozed_until from {prefix}person
			where user_hash in (?b, ?b) order by study_id`),

		interview:     r(stateOfInterview),
		lockInterview: r(stateOfInterview + ` ` + d.forUpdate),
		insertInterview: r(`insert into {prefix}interview (interview_id, study_id, user_id, completed_at, until_at, duration, quality, language, ignored, erased, finished)
			values (?t, ?t, ?t, ?i, ?i, ?i, ?t, ?t, ?i, ?i, ?i) ` + d.ifNewInterview),
		lockPerson: lock,
		isErased:   r(`select erased from {prefix}person where user_hash = ?b and study_id = ''`),
		complete: upsert(`insert into {prefix}person (user_hash, study_id, until_at) values (?b, ?t, ?i)`, `user_hash, study_id`,
			`until_at = `+d.greatest+`({prefix}person.until_at, `+fmt.Sprintf(d.inserted, `until_at`)+`)`),
		insertJob: once(`insert into {prefix}job (interview_id, queued_at, due_at) select interview_id, {now}, {now} from {prefix}interview
			where interview_id = ?t and erased = 0`, `claim`),
		healed: r(`select (select count(*) from {prefix}job where interview_id = ?t),
			(select count(*) from {prefix}person where user_hash = ?b and study_id = ?t and until_at > 0)`),
		revise:    r(`update {prefix}interview set quality = ?t, until_at = ?i, ignored = ?i where interview_id = ?t`),
		attribute: r(`update {prefix}interview set user_id = ?t where interview_id = ?t`),
		disown:    r(`update {prefix}interview set user_id = '', erased = 1, finished = 1 where interview_id = ?t`),
		latest:    r(`select coalesce(max(until_at), 0) from {prefix}interview where user_id = ?t and study_id = ?t and ignored = 0 and reset = 0`),
		mark:      r(`update {prefix}person set until_at = ?i where user_hash = ?b and study_id = ?t`),

		lockStudy: lock,
		study: r(`select showings, opened_at, answer, answered_at, snoozed_until from {prefix}person
			where user_hash = ?b and study_id = ?t`),
		keepStudy: r(`update {prefix}person set showings = ?b, opened_at = ?i, answer = ?i, answered_at = ?i, snoozed_until = ?i
			where user_hash = ?b and study_id = ?t`),
		count: upsert(`insert into {prefix}funnel (study_id, day, kind, users) values (?t, ?i, ?i, ?i)`, `study_id, day, kind`,
			`users = {prefix}funnel.users + `+fmt.Sprintf(d.inserted, `users`)),
		funnel: r(`select day, kind, users from {prefix}funnel where study_id = ?t and day >= ?i and day < ?i`),

		erasePerson:     person(`erased = 1`),
		interviewsOf:    r(`select interview_id from {prefix}interview where user_id = ?t`),
		resetPerson:     r(`update {prefix}person set until_at = 0, showings = ?b, opened_at = 0, answer = 0, answered_at = 0, snoozed_until = 0 where user_hash = ?b and study_id = ?t`),
		resetInterviews: r(`update {prefix}interview set reset = 1 where user_id = ?t and study_id = ?t`),

		claim: r(d.claim),
		due: r(`select j.interview_id from ` + jobTables + ` where j.dead = 0 and j.due_at <= {now}
			order by j.due_at, j.interview_id limit ?i ` + d.skipLocked),
		takeJob: r(`update {prefix}job set due_at = {now} + ?i, claim = ?t where interview_id = ?t`),
		jobs:    r(`select ` + jobColumns + ` from ` + jobTables + ` where j.interview_id = ?t`),
		orphans: r(`select j.interview_id from {prefix}job j left join {prefix}interview i on i.interview_id = j.interview_id
			where j.dead = 0 and j.due_at <= {now} and i.interview_id is null limit 100`),
		extendJob:   r(`update {prefix}job set due_at = {now} + ?i where interview_id = ?t and claim = ?t and dead = 0`),
		fetchedJob:  r(`update {prefix}job set fetched = fetched + 1 where interview_id = ?t and claim = ?t and dead = 0`),
		finishJob:   r(`delete from {prefix}job where interview_id = ?t and claim = ?t and dead = 0`),
		finished:    r(`update {prefix}interview set finished = 1 where interview_id = ?t`),
		postponeJob: r(`update {prefix}job set due_at = {now} + ?i, attempts = ?i, reason = ?t, claim = '' where interview_id = ?t and claim = ?t and dead = 0`),
		killJob:     r(`update {prefix}job set dead = 1, attempts = ?i, reason = ?t, claim = '' where interview_id = ?t and claim = ?t and dead = 0`),
		requeueJob:  r(`update {prefix}job set dead = 0, queued_at = {now}, due_at = {now}, attempts = 0, reason = '', claim = '' where interview_id = ?t and dead = 1`),
		requeueJobs: r(`update {prefix}job set dead = 0, queued_at = {now}, due_at = {now}, attempts = 0, reason = '', claim = '' where dead = 1`),
		transcript:  r(`select fetched_at, body from {prefix}transcript where interview_id = ?t`),
		replaceBody: upsert(`insert into {prefix}transcript (interview_id, fetched_at, body) values (?t, ?i, ?b)`, `interview_id`,
			`fetched_at = `+fmt.Sprintf(d.inserted, `fetched_at`)+`, body = `+fmt.Sprintf(d.inserted, `body`)),
		deleteJob:        r(`delete from {prefix}job where interview_id = ?t`),
		deleteTranscript: r(`delete from {prefix}transcript where interview_id = ?t`),

		insertLetter: once(`insert into {prefix}dead_letter (letter_id, received_at, reason, body) values (?t, ?i, ?t, ?b)`, `letter_id`),
		letters: r(`select letter_id, received_at, reason, body from {prefix}dead_letter
			where received_at >= ?i and (received_at > ?i or letter_id > ?t) order by received_at, letter_id limit ?i`),
		deleteLetter: r(`delete from {prefix}dead_letter where letter_id = ?t`),

		acquire:    r(d.acquire),
		checkpoint: r(`select holder, state from {prefix}checkpoint where name = ?t`),
		save:       r(`update {prefix}checkpoint set state = ?b, until_at = {now} + ?i, saves = saves + 1 where name = ?t and holder = ?t`),

		setSwitch: r(d.setSwitch),
		switches:  r(`select name, is_on, changed_by, changed_at from {prefix}switch order by name`),

		oldTranscripts: r(`select t.interview_id from {prefix}transcript t where t.fetched_at < ?i
			and not exists (select 1 from {prefix}job j where j.interview_id = t.interview_id) order by t.fetched_at limit ?i`),
		oldDeadJobs: r(`select interview_id from {prefix}job where dead = 1 and queued_at < ?i order by queued_at limit ?i`),
		oldLetters:  r(`select letter_id from {prefix}dead_letter where received_at < ?i order by received_at limit ?i`),
	}
	list := `select ` + jobColumns + ` from ` + jobTables + ` where j.dead = %d and j.due_at >= ?i and (j.due_at > ?i or j.interview_id > ?t)
			order by j.due_at, j.interview_id limit ?i`
	t.pendingJobs, t.deadJobs = r(fmt.Sprintf(list, 0)), r(fmt.Sprintf(list, 1))
	for kind, column := range kindColumns {
		t.countedDay[kind] = r(`select ` + column + ` from {prefix}person where user_hash = ?b and study_id = ?t`)
		t.keepCountedDay[kind] = r(`update {prefix}person set ` + column + ` = ?i where user_hash = ?b and study_id = ?t`)
	}
	return t
}

// hot are the statements of every page view and every repeated delivery.
func (t *statements) hot() []string {
	return []string{t.completed, t.person, t.interview, t.healed}
}
