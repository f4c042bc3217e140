package sqlstore

import (
	"fmt"
	"strings"
)

// statements are the texts of a SQL, in the words of its dialect.
type statements struct {
	version, secret, keepSecret string

	completed, record, insertInterview, insertMark, insertJob string // see hot
	erased                                                    string
	interview, fillQuality, fillUser, takeUser                string
	deleteMark                                                string

	keepErased, lockUser, eraseJobs, eraseTranscripts, eraseUser string

	dueJobs, claimJobs, claimed, finishJob, postponeJob, killJob, requeueJob, listJobs string

	insertTranscript, transcript, deleteJob, deleteTranscript string

	insertLetter, letters, deleteLetter string

	acquire, checkpoint, save string

	completions string
}

const (
	interviewColumns = `i.interview_id, i.study_id, i.user_id, i.completed_at, i.until_at, i.duration, i.quality, i.language`
	jobColumns       = interviewColumns + `, j.queued_at, j.due_at, j.attempts, j.reason`
	jobTables        = `{prefix}job j join {prefix}interview i on i.interview_id = j.interview_id`
	usersInterviews  = `interview_id in (select interview_id from {prefix}interview where user_id = ?)`
)

func newStatements(d *dialect, prefix string) *statements {
	r := func(text string) string { return d.render(text, prefix) }
	once := func(text, key string) string { return r(text + ` ` + fmt.Sprintf(d.insertOnce, key)) }
	return &statements{
		version:    r(`select max(version) from {prefix}schema`),
		secret:     r(`select secret from {prefix}secret where id = 1`),
		keepSecret: once(`insert into {prefix}secret (id, secret) values (1, ?)`, `id`),

		completed:       r(`select until_at from {prefix}mark where key_hash = ?`),
		record:          strings.ReplaceAll(d.record, `{prefix}`, prefix),
		insertInterview: r(d.insertInterview),
		insertMark:      r(d.insertMark),
		insertJob: r(`insert into {prefix}job (interview_id, dead, queued_at, due_at, attempts, reason, claim)
			select interview_id, 0, ?, ?, 0, '', '' from {prefix}interview
			where interview_id = ? and not exists (select 1 from {prefix}erased where user_hash = ?)`),
		erased:      r(`select count(*) from {prefix}erased where user_hash = ?`),
		interview:   r(`select study_id, user_id, erased, quality, until_at from {prefix}interview where interview_id = ?`),
		fillQuality: r(`update {prefix}interview set quality = ? where interview_id = ? and quality = ''`),
		fillUser:    r(`update {prefix}interview set user_id = ? where interview_id = ? and user_id = '' and erased = 0`),
		takeUser:    r(`update {prefix}interview set user_id = '', erased = 1 where interview_id = ?`),
		deleteMark:  r(`delete from {prefix}mark where key_hash = ?`),

		keepErased:       once(`insert into {prefix}erased (user_hash) values (?)`, `user_hash`),
		lockUser:         r(d.lockUser),
		eraseJobs:        r(`delete from {prefix}job where ` + usersInterviews),
		eraseTranscripts: r(`delete from {prefix}transcript where ` + usersInterviews),
		eraseUser:        r(`update {prefix}interview set user_id = '', erased = 1 where user_id = ?`),

		dueJobs:     r(`select interview_id from {prefix}job where dead = 0 and due_at <= ? order by due_at, interview_id limit ? ` + d.skipLocked),
		claimJobs:   r(`update {prefix}job set due_at = ?, claim = ? where interview_id = ?`),
		claimed:     r(`select ` + jobColumns + ` from ` + jobTables + ` where j.interview_id = ?`),
		finishJob:   r(`delete from {prefix}job where interview_id = ? and claim = ? and dead = 0`),
		postponeJob: r(`update {prefix}job set due_at = ?, attempts = ?, reason = ?, claim = '' where interview_id = ? and claim = ? and dead = 0`),
		killJob:     r(`update {prefix}job set dead = 1, attempts = ?, reason = ?, claim = '' where interview_id = ? and claim = ? and dead = 0`),
		requeueJob:  r(`update {prefix}job set dead = 0, queued_at = ?, due_at = ?, attempts = 0, reason = '', claim = '' where interview_id = ? and dead = 1`),
		listJobs: r(`select ` + jobColumns + ` from ` + jobTables + ` where j.dead = ? and j.due_at >= ? and (j.due_at > ? or j.interview_id > ?)
			order by j.due_at, j.interview_id limit ?`),

		insertTranscript: r(`insert into {prefix}transcript (interview_id, fetched_at, body) values (?, ?, ?)`),
		transcript:       r(`select fetched_at, body from {prefix}transcript where interview_id = ?`),
		deleteJob:        r(`delete from {prefix}job where interview_id = ?`),
		deleteTranscript: r(`delete from {prefix}transcript where interview_id = ?`),

		insertLetter: once(`insert into {prefix}dead_letter (letter_id, received_at, reason, body) values (?, ?, ?, ?)`, `letter_id`),
		letters: r(`select letter_id, received_at, reason, body from {prefix}dead_letter
			where received_at >= ? and (received_at > ? or letter_id > ?) order by received_at, letter_id limit ?`),
		deleteLetter: r(`delete from {prefix}dead_letter where letter_id = ?`),

		acquire:    r(d.acquire),
		checkpoint: r(`select holder, state from {prefix}checkpoint where name = ?`),
		save:       r(`update {prefix}checkpoint set state = ?, until_at = ?, saves = saves + 1 where name = ? and holder = ?`),

		completions: strings.ReplaceAll(`select `+interviewColumns+` from {prefix}interview i where `, `{prefix}`, prefix),
	}
}

// hot are the statements of every page and every webhook.
func (t *statements) hot() []string {
	return []string{t.completed, t.insertInterview, t.insertMark, t.insertJob}
}
