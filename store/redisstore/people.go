package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/askonce/askonce/store"
)

// person is how a store.Person is stored; see personLua.
type person struct {
	OptOut  answer           `json:"o"`
	Studies map[string]study `json:"s"`
}

type answer struct {
	Kind  store.InteractionKind `json:"a"`
	At    int64                 `json:"t"` // milliseconds, which Lua's 14 digits hold
	Until int64                 `json:"u"` // seconds
}

type study struct {
	Ends     *int64 `json:"e,string"` // µs, 0 for never; nil unless completed
	Showings string `json:"w"`        // seconds, separated by commas
	Opened   int64  `json:"o"`
	Reset    int64  `json:"r"` // milliseconds
	answer
}

// completed reports whether the completion counts now, and when it ends.
func (s *study) completed() (ends time.Time, done bool) {
	if s.Ends == nil {
		return time.Time{}, false
	}
	ends = instant(*s.Ends)
	return ends, ends.IsZero() || time.Now().Before(ends)
}

// find reads a user with one command. It returns an empty person for an unknown user.
func (s *Store) find(ctx context.Context, userID string) (p person, err error) {
	for {
		h, err := s.readable(ctx)
		if err != nil || h == nil {
			return person{}, err
		}
		found, err := s.client.HMGet(ctx, s.prefix+"people", "", h.user(userID)).Result()
		if err != nil {
			return person{}, err
		}
		if check, ok := found[0].(string); ok && check != h.check {
			s.key.CompareAndSwap(h, nil) // the server was flushed and refilled
			continue
		}
		text, ok := found[1].(string)
		if !ok {
			return person{}, nil
		}
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return person{}, fmt.Errorf("unreadable person: %w", err)
		}
		return p, nil
	}
}

// Completed implements [store.Store].
func (s *Store) Completed(ctx context.Context, k store.Key) (bool, error) {
	if err := check(ctx, store.CheckKey(k)); err != nil {
		return false, err
	}
	p, err := s.find(ctx, k.UserID)
	if err != nil {
		return false, failed("completed", err)
	}
	st := p.Studies[k.StudyID]
	_, done := st.completed()
	return done, nil
}

// Person implements [store.Interactions].
func (s *Store) Person(ctx context.Context, userID string) (store.Person, error) {
	if err := check(ctx, store.CheckID(userID)); err != nil {
		return store.Person{}, err
	}
	p, err := s.find(ctx, userID)
	if err != nil {
		return store.Person{}, failed("person", err)
	}
	out := store.Person{OptedOut: p.OptOut.Kind == store.InteractionOptedOut, OptedOutAt: millisecond(p.OptOut.At)}
	for id, st := range p.Studies {
		one := store.PersonStudy{StudyID: id, OpenedAt: second(st.Opened), Answer: st.Kind, AnsweredAt: millisecond(st.At), Until: second(st.Until), ResetAt: millisecond(st.Reset)}
		if ends, done := st.completed(); done {
			one.Completed, one.CompletedUntil = true, ends
		}
		for _, text := range strings.FieldsFunc(st.Showings, func(r rune) bool { return r == ',' }) {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return store.Person{}, failed("person", err)
			}
			one.Showings = append(one.Showings, second(n))
		}
		if one.Completed || len(one.Showings) > 0 || st.Opened != 0 || st.At != 0 || st.Reset != 0 {
			out.Studies = append(out.Studies, one)
		}
	}
	slices.SortFunc(out.Studies, func(a, b store.PersonStudy) int { return strings.Compare(a.StudyID, b.StudyID) })
	return out, nil
}

func second(n int64) time.Time { return millisecond(n * 1000) }

func millisecond(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

var noteScript = newScript(fits + personLua + `
local hash, id, kind, at, ends, day = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local counted, most, most_studies = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local p = person(hash)
if id == '' then
	local o = p.o or {a = 0, t = 0}
	if at > o.t or (at == o.t and kind > o.a) then p.o = {a = kind, t = at} end
	write(people, hash, p)
	return 0
end
local st, kept = study(p, id), 0
local function said(s) return s.w or s.o or s.t end
for _, s in pairs(p.s) do
	if said(s) then kept = kept + 1 end
end
if kept >= most_studies and not said(st) then return 1 end
if kind == 0 then
	local all, seen = {}, false
	for text in string.gmatch(st.w or '', '%d+') do
		local n = tonumber(text)
		if n == at then seen = true end
		if n > at and not seen then
			table.insert(all, string.format('%d', at))
			seen = true
		end
		table.insert(all, text)
	end
	if not seen then table.insert(all, string.format('%d', at)) end
	while #all > most do table.remove(all, 1) end
	st.w = table.concat(all, ',')
elseif kind == 1 then
	st.o = math.max(st.o or 0, at)
else
	local t, a, u = st.t or 0, st.a or 0, st.u or 0
	if t == 0 or at > t or (at == t and (kind > a or (kind == a and ends > u))) then st.t, st.a, st.u = at, kind, ends end
end
if counted ~= '' then count(st, id, counted, day) end
write(people, hash, p)
return 0
`)

// kindOf numbers the kinds that the funnel counts; '4' is for completions.
var kindOf = map[store.InteractionKind]string{
	store.InteractionShown: "0", store.InteractionOpened: "1", store.InteractionSnoozed: "2", store.InteractionDeclined: "3",
}

// Note implements [store.Interactions], in one atomic script.
func (s *Store) Note(ctx context.Context, i store.Interaction) error {
	if err := check(ctx, store.CheckInteraction(i)); err != nil {
		return err
	}
	until := int64(0)
	if i.Kind == store.InteractionSnoozed && !i.Until.IsZero() {
		until = i.Until.Unix()
	}
	at := i.At.UnixMilli()
	if i.Kind == store.InteractionShown || i.Kind == store.InteractionOpened {
		at = i.At.Unix()
	}
	return failed("note", s.withKey(ctx, func(h *hasher) error {
		refused, err := s.run(ctx, noteScript, "", h.check, h.user(i.UserID), i.StudyID, int(i.Kind), at,
			until, dayNumber(i.At), kindOf[i.Kind], store.MaxShowings, store.MaxStudies).Bool()
		if err == nil && refused {
			err = store.ErrTooManyStudies
		}
		return err
	}))
}

func dayNumber(t time.Time) int64 { return max(0, store.Day(t).Unix()/86400) }

// Funnel implements [store.Interactions].
func (s *Store) Funnel(ctx context.Context, studyID string, from, to time.Time) ([]store.FunnelDay, error) {
	if err := check(ctx, store.CheckID(studyID)); err != nil {
		return nil, err
	}
	const kinds = 5
	var days []store.FunnelDay
	var fields []string
	for day := store.Day(from); day.Before(store.Day(to)); day = day.AddDate(0, 0, 1) {
		days = append(days, store.FunnelDay{Day: day})
		for kind := range kinds {
			fields = append(fields, studyID+"\x00"+strconv.FormatInt(dayNumber(day), 10)+"\x00"+strconv.Itoa(kind))
		}
	}
	if len(fields) == 0 {
		return nil, nil
	}
	counts, err := s.client.HMGet(ctx, s.prefix+"funnel", fields...).Result()
	if err != nil {
		return nil, failed("funnel", err)
	}
	for n, v := range counts {
		if text, ok := v.(string); ok {
			users, err := strconv.Atoi(text)
			if err != nil {
				return nil, failed("funnel", err)
			}
			d := &days[n/kinds]
			*[...]*int{&d.Shown, &d.Opened, &d.Snoozed, &d.Declined, &d.Completed}[n%kinds] = users
		}
	}
	return days, nil
}

var resetScript = newScript(fits + personLua + `
local user, hash, id, at = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local p = person(hash)
local st = study(p, id)
at = math.max(at, st.r or 0, st.t or 0, (st.o or 0) * 1000, (tonumber(string.match(st.w or '', '%d+$')) or 0) * 1000)
p.s[id] = {f = st.f, r = at}
write(people, hash, p)
for _, interview in ipairs(interviews_of(user)) do
	local i = read(interviews, interview)
	if i and i.s == id then
		i.r = '1'
		write(interviews, interview, i)
	end
end
return 0
`)

// Reset implements [store.Resetter], in one atomic script.
func (s *Store) Reset(ctx context.Context, k store.Key) error {
	if err := check(ctx, store.CheckKey(k)); err != nil {
		return err
	}
	return failed("reset", s.withKey(ctx, func(h *hasher) error {
		return s.run(ctx, resetScript, "", h.check, k.UserID, h.user(k.UserID), k.StudyID, time.Now().UnixMilli()).Err()
	}))
}

var eraseScript = newScript(fits + personLua + dropLua + `
local user, hash = ARGV[2], ARGV[3]
local p = person(hash)
p.x = '1'
write(people, hash, p)
for _, id in ipairs(interviews_of(user)) do
	drop(id)
	local i = read(interviews, id)
	if i then
		i.u, i.g, i.f = '', '1', 'erased'
		write(interviews, id, i)
	end
	redis.call('ZREM', by_user, user .. '\0' .. id)
end
return 0
`)

// Erase implements [store.Eraser], in one atomic script.
func (s *Store) Erase(ctx context.Context, userID string) error {
	if err := check(ctx, store.CheckID(userID)); err != nil {
		return err
	}
	return failed("erase", s.withKey(ctx, func(h *hasher) error {
		return s.run(ctx, eraseScript, "", h.check, userID, h.user(userID)).Err()
	}))
}
