package gate

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/askonce/askonce/internal/loopback"
	"github.com/askonce/askonce/userjourneys"
)

// study is one answer of the provider. It never changes.
type study struct {
	userjourneys.Study
	exists  bool          // false: the provider has no such active study
	askedAt time.Time     // when it was asked for: it may be as old as the question
	fresh   time.Duration // how long it is used without asking again

	// places is how many more responses the study takes now: 0 for none,
	// negative for no known limit.
	places int
	// since is when the period of the limit with the fewest places left began, and
	// used how many responses it has had.
	since time.Time
	used  int
	// linkErr says why the interview link must not be followed, or is nil.
	linkErr error
}

func newStudy(s userjourneys.Study, exists bool, at time.Time, fresh time.Duration, hosts []string) *study {
	s.ID = userjourneys.CanonicalID(s.ID) // as the webhook keys completions
	n := &study{Study: s, exists: exists, askedAt: at, fresh: fresh, places: -1}
	if exists {
		n.linkErr = checkLink(s.InterviewLink, hosts)
	}
	if !s.AcceptingResponses {
		n.places = 0
		return n
	}
	day := at.UTC().Truncate(24 * time.Hour)
	for _, l := range []struct {
		limit *userjourneys.Limit
		since time.Time
	}{
		{s.Limits.Monthly, day.AddDate(0, 0, 1-day.Day())},              // the provider does not say when monthly limits reset
		{s.Limits.Weekly, day.AddDate(0, 0, -(int(day.Weekday())+6)%7)}, // Monday
	} {
		if l.limit == nil {
			continue
		}
		if left := max(0, l.limit.Limit-l.limit.Used); n.places < 0 || left < n.places {
			n.places, n.since, n.used = left, l.since, l.limit.Used
		}
	}
	return n
}

// age goes by whichever clock has run further, the monotonic or the wall clock:
// neither a clock that was set back nor a machine that slept makes an old
// answer pass for a new one.
func (s *study) age(now time.Time) time.Duration {
	return max(now.Sub(s.askedAt), time.Duration(now.UnixNano()-s.askedAt.UnixNano()))
}

// suitable returns the first of the wanted languages that a study supports, in the
// study's spelling, or "". Tags match by their primary subtag (RFC 5646, section
// 2.2.1); an exact match wins. The provider's "no" serves nb and nn too, and
// English is always supported.
//
// A matcher of golang.org/x/text/language would have to parse the visitor's tags
// for every page. This allocates nothing.
func suitable(supported, wanted []string) string {
	for _, want := range wanted {
		for _, have := range supported {
			if strings.EqualFold(have, want) {
				return have
			}
		}
		for _, have := range supported {
			if strings.EqualFold(primary(have), primary(want)) {
				return have
			}
		}
		if strings.EqualFold(primary(want), "en") {
			return "en"
		}
	}
	return ""
}

func primary(tag string) string {
	for i := range len(tag) {
		if tag[i] == '-' || tag[i] == '_' {
			tag = tag[:i]
			break
		}
	}
	if strings.EqualFold(tag, "nb") || strings.EqualFold(tag, "nn") {
		return "no"
	}
	return tag
}

// providerHost is the provider's domain. Interview links lead to a host below it.
const providerHost = "userjourneys.ai"

// checkLink returns an error unless a user may be sent to link with a reference
// in it: it must be https and lead to the provider or to one of hosts. A fake
// provider on a loopback address may use http.
func checkLink(link string, hosts []string) error {
	u, err := checkScheme(link)
	if err != nil {
		return err
	}
	host := strings.ToLower(u.Hostname())
	if host == providerHost || strings.HasSuffix(host, "."+providerHost) || slices.Contains(hosts, host) || loopback.URL(u) {
		return nil
	}
	return fmt.Errorf("gate: the interview link leads to the host %q: add it to Options.LinkHosts if that is right", host)
}

func checkScheme(link string) (*url.URL, error) {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || !loopback.Secure(u) {
		return nil, errors.New("gate: the interview link is not an https URL")
	}
	return u, nil
}
