package gate_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gorilla/securecookie"
	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
)

func key(n int, fill byte) []byte { return bytes.Repeat([]byte{fill}, n) }

func signed(t testing.TB, keys ...[]byte) gate.References {
	t.Helper()
	r, err := gate.SignedReferences(keys...)
	require.NoError(t, err)
	return r
}

func sealed(t testing.TB, pairs ...[]byte) gate.References {
	t.Helper()
	r, err := gate.SealedReferences(pairs...)
	require.NoError(t, err)
	return r
}

func kinds(t testing.TB) map[string]gate.References {
	return map[string]gate.References{
		"plain": gate.PlainReferences(), "signed": signed(t, key(32, 1)), "sealed": sealed(t, key(32, 1), key(32, 2)),
	}
}

var unreserved = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`) // RFC 3986, section 2.3

func TestReferencesRoundTrip(t *testing.T) {
	t.Parallel()
	for name, refs := range kinds(t) {
		for _, id := range []string{"a", "42", " ", "a b", "ü", "日本", "a|b|c", "a.b", "=", "\u2028", strings.Repeat("x", 64), strings.Repeat("é", 128)} {
			ref, err := refs.Reference(store.Key{StudyID: studyID, UserID: id})
			require.NoError(t, err)
			got, err := refs.UserID(studyID, ref)
			require.NoError(t, err, "%s %q", name, id)
			require.Equal(t, id, got)
			if name != "plain" {
				require.Regexp(t, unreserved, ref)
			}
			if name == "signed" && len(id) <= 64 {
				require.Less(t, len(ref), 128)
			}
		}
		for _, id := range []string{"", strings.Repeat("x", 257), "a\x00b", "\xff", "a\nb"} {
			ref, err := refs.Reference(store.Key{StudyID: studyID, UserID: id})
			require.ErrorIs(t, err, store.ErrInvalid, "%s %q", name, id)
			require.Empty(t, ref)
		}
		if name != "plain" {
			_, err := refs.Reference(store.Key{StudyID: "", UserID: "ada"})
			require.ErrorIs(t, err, store.ErrInvalid)
		}
	}
	a, _ := signed(t, key(32, 1)).Reference(store.Key{StudyID: studyID, UserID: "ada"})
	b, _ := signed(t, key(32, 1), key(32, 2)).Reference(store.Key{StudyID: studyID, UserID: "ada"})
	require.Equal(t, a, b, "signing is deterministic")
}

func TestSealedHidesTheUser(t *testing.T) {
	t.Parallel()
	r := sealed(t, key(32, 1), key(16, 2))
	a, err := r.Reference(store.Key{StudyID: studyID, UserID: "ada"})
	require.NoError(t, err)
	b, err := r.Reference(store.Key{StudyID: studyID, UserID: "ada"})
	require.NoError(t, err)
	require.NotEqual(t, a, b)
	for n := 1; n <= store.MaxIDLen; n++ {
		ref, err := r.Reference(store.Key{StudyID: studyID, UserID: strings.Repeat("x", n)})
		require.NoError(t, err)
		require.Regexp(t, unreserved, ref)
		if want := map[int]int{64: 230, store.MaxIDLen: 571}[n]; want != 0 {
			require.Len(t, ref, want, "as the comment says")
		}
	}
}

// Links outlive deployments: what was made once is read for ever.
func TestReferencesArePinned(t *testing.T) {
	t.Parallel()
	mac := hmac.New(sha256.New, key(32, 1))
	mac.Write([]byte("askonce signed reference 1\x00" + studyID + "\x00ada"))
	want := base64.RawURLEncoding.EncodeToString(append(mac.Sum(nil)[:16], "ada"...))
	got, err := signed(t, key(32, 1)).Reference(store.Key{StudyID: studyID, UserID: "ada"})
	require.NoError(t, err)
	require.Equal(t, want, got)

	// Made on 1 January 2000, by the clock of a synctest bubble.
	const old = "OTQ2Njg0ODAwfElEbnFoQVhHNUFLa1JxZnp2SHRBejVReU1JLXI4YkMwN2dFajE3VFpRbnhmdnpNPXyLkkbTelvky5czeKCqzSoERzzmcC5Tp7MwK1MConLBig"
	id, err := sealed(t, key(32, 1), key(32, 2)).UserID(studyID, old)
	require.NoError(t, err)
	require.Equal(t, "ada", id)
}

func refuse(t *testing.T, refs gate.References, study, ref string) {
	t.Helper()
	id, err := refs.UserID(study, ref)
	require.ErrorIs(t, err, gate.ErrBadReference)
	require.Equal(t, gate.ErrBadReference.Error(), err.Error())
	require.Empty(t, id)
}

func TestForgedReferences(t *testing.T) {
	t.Parallel()
	for name, refs := range kinds(t) {
		if name == "plain" {
			continue
		}
		ref, err := refs.Reference(store.Key{StudyID: studyID, UserID: "ada-12"})
		require.NoError(t, err)
		for i := range len(ref) * 8 {
			b := []byte(ref)
			b[i/8] ^= 1 << (i % 8)
			refuse(t, refs, studyID, string(b))
		}
		for i := range ref {
			refuse(t, refs, studyID, ref[:i])
			if i > 0 {
				refuse(t, refs, studyID, ref[i:])
			}
			for _, junk := range []string{"\r", "\n", "=", "A", " ", "\x00"} {
				refuse(t, refs, studyID, ref[:i]+junk+ref[i:])
			}
		}
		// One token has one spelling.
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/="
		for _, c := range alphabet {
			if other := ref[:len(ref)-1] + string(c); other != ref {
				refuse(t, refs, studyID, other)
			}
		}
		for _, junk := range []string{"=", "==", "\n", "\r\n", "A", ref, strings.Repeat("A", 1<<16)} {
			refuse(t, refs, studyID, ref+junk)
		}
		for _, study := range []string{"", "another", studyID + "x", studyID[1:], studyID + "\x00"} {
			refuse(t, refs, study, ref)
		}
		for _, other := range []gate.References{signed(t, key(32, 9)), sealed(t, key(32, 9), key(32, 2)), sealed(t, key(32, 9), key(32, 8))} {
			refuse(t, other, studyID, ref)
		}
	}
	refuse(t, gate.PlainReferences(), studyID, "")
	refuse(t, gate.PlainReferences(), studyID, "a\x00")
}

// A clock that is not set writes a shorter time into the token.
func TestSealedUnderAnUnsetClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where it is the year 2000
		r := sealed(t, key(32, 1), key(32, 2))
		for n := range 12 {
			k := store.Key{StudyID: studyID, UserID: strings.Repeat("x", n+1)}
			ref, err := r.Reference(k)
			require.NoError(t, err)
			require.Regexp(t, unreserved, ref)
			id, err := r.UserID(studyID, ref)
			require.NoError(t, err)
			require.Equal(t, k.UserID, id)
		}
	})
}

// What else the keys have sealed under the same name is no reference, and does
// no harm.
func TestSealedButTooShort(t *testing.T) {
	t.Parallel()
	codec := securecookie.New(key(32, 1), key(32, 2)).SetSerializer(securecookie.NopEncoder{})
	token, err := codec.Encode("askonce.ref.v1", []byte("short"))
	require.NoError(t, err)
	refuse(t, sealed(t, key(32, 1), key(32, 2)), studyID, strings.TrimRight(token, "="))
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	k := store.Key{StudyID: studyID, UserID: "ada"}
	for _, r := range []struct{ old, both, new gate.References }{
		{signed(t, key(32, 1)), signed(t, key(64, 2), key(32, 1)), signed(t, key(64, 2))},
		{sealed(t, key(32, 1), key(16, 3)), sealed(t, key(64, 2), key(24, 4), key(32, 1), key(16, 3)), sealed(t, key(64, 2), key(24, 4))},
	} {
		before, err := r.old.Reference(k)
		require.NoError(t, err)
		after, err := r.both.Reference(k)
		require.NoError(t, err)
		for _, ref := range []string{before, after} {
			id, err := r.both.UserID(studyID, ref)
			require.NoError(t, err)
			require.Equal(t, "ada", id)
		}
		id, err := r.new.UserID(studyID, after)
		require.NoError(t, err)
		require.Equal(t, "ada", id)
		refuse(t, r.new, studyID, before)
	}
}

func TestKeysAreCopied(t *testing.T) {
	t.Parallel()
	a, b := key(32, 1), key(32, 2)
	for _, refs := range []gate.References{signed(t, a), sealed(t, a, b)} {
		ref, err := refs.Reference(store.Key{StudyID: studyID, UserID: "ada"})
		require.NoError(t, err)
		a[0], b[0] = a[0]+1, b[0]+1
		id, err := refs.UserID(studyID, ref)
		require.NoError(t, err)
		require.Equal(t, "ada", id)
	}
}

func TestBadKeysAreAllReported(t *testing.T) {
	t.Parallel()
	_, err := gate.SignedReferences()
	require.ErrorContains(t, err, "no key")
	_, err = gate.SignedReferences(key(32, 1), nil, key(31, 2), key(32, 1))
	for _, fault := range []string{"key 1 is empty", "key 2 has 31 bytes", "key 3 is a duplicate"} {
		require.ErrorContains(t, err, fault)
	}
	_, err = gate.SealedReferences()
	require.ErrorContains(t, err, "no keys")
	_, err = gate.SealedReferences(key(8, 1), key(15, 2), key(32, 3), key(32, 3), nil)
	for _, fault := range []string{"5 keys", "key 0, a hash key, has 8 bytes", "key 1, a block key, has 15", "key 3 is a duplicate of key 2", "key 4, a hash key, is empty"} {
		require.ErrorContains(t, err, fault)
	}
	_, err = gate.SealedReferences(key(32, 1), nil)
	require.ErrorContains(t, err, "block key, has 0 bytes", "without one the id would be legible")
}

// Nothing makes UserID panic or take what was not made, and what is made comes
// back byte for byte.
func FuzzReference(f *testing.F) {
	refs := kinds(f)
	for _, r := range refs {
		ref, err := r.Reference(store.Key{StudyID: studyID, UserID: "ada"})
		require.NoError(f, err)
		f.Add(studyID, ref)
	}
	f.Add("", "")
	f.Add("s", "ü|\x00")
	f.Fuzz(func(t *testing.T, study, s string) {
		for name, r := range refs {
			id, err := r.UserID(study, s)
			switch {
			case err != nil:
				require.ErrorIs(t, err, gate.ErrBadReference)
				require.Empty(t, id)
			case name == "signed": // deterministic, so only what we write is taken
				again, err := r.Reference(store.Key{StudyID: study, UserID: id})
				require.NoError(t, err)
				require.Equal(t, again, s)
			case name == "sealed":
				require.Equal(t, studyID, study, "a forged token: %q", s)
			}
			// As an id.
			k := store.Key{StudyID: studyID, UserID: s}
			ref, err := r.Reference(k)
			require.Equal(t, store.CheckID(s) == nil, err == nil)
			if err != nil {
				continue
			}
			got, err := r.UserID(studyID, ref)
			require.NoError(t, err)
			require.Equal(t, s, got)
			if name != "plain" && study != studyID {
				_, err = r.UserID(study, ref)
				require.ErrorIs(t, err, gate.ErrBadReference)
			}
		}
	})
}

func ExampleSignedReferences() {
	refs, err := gate.SignedReferences([]byte("an example: use 32 random bytes!"))
	if err != nil {
		fmt.Println(err)
		return
	}
	ref, err := refs.Reference(store.Key{StudyID: "study-1", UserID: "ada"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(refs.UserID("study-1", ref))
	fmt.Println(refs.UserID("study-2", ref))
	// Output:
	// ada <nil>
	//  gate: bad reference
}

// The wrong way where an interview is worth something: whoever edits the
// address bar takes it in another user's name, and that user is never asked.
func ExamplePlainReferences_forged() {
	refs := gate.PlainReferences()
	fmt.Println(refs.UserID("study-1", "somebody-else"))
	// Output:
	// somebody-else <nil>
}
