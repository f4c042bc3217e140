package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/askonce/askonce/store"
)

// interview is how a completion is stored. All fields are text: Lua's JSON writes
// numbers with 14 digits.
type interview struct {
	Study       string `json:"s"`
	User        string `json:"u"`
	CompletedAt int64  `json:"t,string"` // µs
	Quality     string `json:"q"`
	Language    string `json:"l"`
	Duration    int64  `json:"d,string"` // µs
	Until       int64  `json:"e,string"` // µs, 0 for never
	Ignored     string `json:"i"`        // "1" if it does not complete the study
	Call        string `json:"n"`        // the call that was the first, which the client may send twice

	Gone     string `json:"g,omitempty"` // "1" once it is known as an erased user's
	Reset    string `json:"r,omitempty"` // "1" once it no longer completes the study
	Finished string `json:"f,omitempty"` // the call that finished the job, or why there is none
}

// jsonLua reads and writes JSON in a hash.
const jsonLua = `
local function read(hash, field)
	local text = redis.call('HGET', hash, field)
	return text and cjson.decode(text)
end
local function write(hash, field, value) redis.call('HSET', hash, field, cjson.encode(value)) end
`

// dropLua deletes the job and the transcript of an interview, and returns how many of the
// two there were.
const dropLua = `
local function drop(id)
	for _, set in ipairs({due, dead, transcripts_by_time}) do redis.call('ZREM', set, id) end
	return redis.call('HDEL', jobs, id) + redis.call('HDEL', transcripts, id)
end
`

// personLua reads and changes a person: {x: erased, o: opt-out, s: studies}. In a study,
// e is the end of the completion, w the showings, o the opening, a the answer, t its time,
// u the end of a snooze, r the last reset, and f the days that the funnel counts.
const personLua = jsonLua + `
local function person(hash) return read(people, hash) or {s = {}} end
local function interviews_of(user)
	local ids = redis.call('ZRANGEBYLEX', by_user, '[' .. user .. '\0', '(' .. user .. '\1')
	for n, member in ipairs(ids) do ids[n] = string.sub(member, #user + 2) end
	return ids
end
local function study(p, id)
	p.s[id] = p.s[id] or {}
	return p.s[id]
end
local function complete(st, ends)
	if st.e and (st.e == '0' or (ends ~= '0' and tonumber(st.e) >= tonumber(ends))) then return end
	st.e = ends
end
local function count(st, id, kind, day)
	st.f = st.f or {}
	local had = st.f[kind]
	if had and had <= day then return end
	if had then redis.call('HINCRBY', funnel, id .. '\0' .. string.format('%d', had) .. '\0' .. kind, -1) end
	redis.call('HINCRBY', funnel, id .. '\0' .. string.format('%d', day) .. '\0' .. kind, 1)
	st.f[kind] = day
end
local function days(us) return math.floor(tonumber(us) / 86400000000) end
`

// recordScript writes the interview last: Redis does not roll scripts back, and one that
// stopped halfway is then repeated from the beginning.
var recordScript = newScript(fits + now + personLua + dropLua + `
local by_study = KEYS[#KEYS]
local id, user, hash, owner, owner_hash = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local new = cjson.decode(ARGV[7])

local function queue()
	write(jobs, id, {q = now, a = '0', r = '', c = '', f = ''})
	redis.call('ZADD', due, now, id)
end
local function mark(hash, i)
	local p = person(hash)
	local st = study(p, i.s)
	complete(st, i.e)
	count(st, i.s, '4', days(i.t))
	write(people, hash, p)
end

local kept = redis.call('HGET', interviews, id)
if not kept then
	local gone = user ~= '' and person(hash).x
	if user ~= '' and new.i ~= '1' then mark(hash, new) end
	if gone then
		new.u, new.g, new.f = '', '1', 'erased'
	else
		if user ~= '' then redis.call('ZADD', by_user, 0, user .. '\0' .. id) end
		queue()
	end
	redis.call('ZADD', by_time, new.t, id)
	redis.call('ZADD', by_study, new.t, id)
	write(interviews, id, new)
	return 1
end

local i = cjson.decode(kept)
if i.u == user then owner, owner_hash = user, hash end
if i.u ~= '' and i.u ~= owner then return i.u end -- the caller must pass that user's hash

if i.q == '' and new.q ~= '' then
	i.q, i.e, i.i = new.q, new.e, new.i
	if i.u ~= '' then -- whether the user has completed the study may have changed
		local p = person(owner_hash)
		local st = study(p, i.s)
		st.e = nil
		for _, other_id in ipairs(interviews_of(i.u)) do
			local other = read(interviews, other_id)
			if other and other.s == i.s and other.i ~= '1' and not other.r and other_id ~= id then complete(st, other.e) end
		end
		write(people, owner_hash, p)
	end
end
if i.u == '' and user ~= '' and not i.g then
	if person(hash).x then
		i.g, i.f = '1', 'erased'
		drop(id)
		if i.i ~= '1' then mark(hash, i) end
	else
		i.u, owner_hash = user, hash
	end
end
if i.u ~= '' then
	redis.call('ZADD', by_user, 0, i.u .. '\0' .. id)
	if i.i ~= '1' and not i.r then mark(owner_hash, i) end
end
if not i.f and redis.call('HEXISTS', jobs, id) == 0 then queue() end
local text = cjson.encode(i)
if text ~= kept then redis.call('HSET', interviews, id, text) end
return i.n == new.n and 1 or 0
`)

// Record implements [store.Store], in one atomic script.
func (s *Store) Record(ctx context.Context, c store.Completion) (first bool, err error) {
	if err := check(ctx, store.CheckCompletion(c)); err != nil {
		return false, err
	}
	new := interview{
		Study: c.StudyID, User: c.UserID, CompletedAt: micros(c.CompletedAt), Quality: c.Quality, Language: c.Language,
		Duration: c.Duration.Microseconds(), Until: micros(c.Until), Ignored: "0", Call: rand.Text(),
	}
	if c.Ignored {
		new.Ignored = "1"
	}
	text, err := json.Marshal(new)
	if err != nil {
		return false, failed("record", err)
	}
	err = s.withKey(ctx, func(h *hasher) error {
		owner, ownerHash := "", ""
		for range 2 {
			reply, err := s.run(ctx, recordScript, "study:"+c.StudyID, h.check, c.InterviewID, c.UserID, h.user(c.UserID), owner, ownerHash, text).Result()
			switch reply := reply.(type) {
			case int64:
				first = reply == 1
				return err
			case string:
				owner, ownerHash = reply, h.user(reply)
			default:
				return err
			}
		}
		return errors.New("the interview changed its user meanwhile")
	})
	return first && err == nil, failed("record", err)
}

// completion reads an interview.
func completion(id, text string) (store.Completion, error) {
	var i interview
	if err := json.Unmarshal([]byte(text), &i); err != nil {
		return store.Completion{}, fmt.Errorf("unreadable interview: %w", err)
	}
	return store.Completion{
		Key: store.Key{StudyID: i.Study, UserID: i.User}, InterviewID: id, Quality: i.Quality, Language: i.Language, Ignored: i.Ignored == "1",
		CompletedAt: instant(i.CompletedAt), Until: instant(i.Until), Duration: time.Duration(i.Duration) * time.Microsecond,
	}, nil
}
