package webhook_test

import (
	"bytes"
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

func TestSealedReferences(t *testing.T) {
	t.Parallel()
	for name, test := range sealCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// sealCases are tests, named by what they show, of sealed references that come back
// in a delivery.
var sealCases = map[string]func(t *testing.T){
	"what is sealed is unsealed": func(t *testing.T) {
		returned(t, "ada", webhook.ResultAccepted, sealing(t, 1), seal(t, sealing(t, 1), "ada"))
	},
	"no flipped bit unseals": func(t *testing.T) {
		ref := seal(t, sealing(t, 1), "ada")
		for bit := range 8 * len(ref) {
			flipped := []byte(ref)
			flipped[bit/8] ^= 1 << (bit % 8)
			unsealable(t, studyID, string(flipped))
		}
	},
	"no cut reference unseals": func(t *testing.T) {
		ref := seal(t, sealing(t, 1), "ada")
		for n := range len(ref) {
			unsealable(t, studyID, ref[:n])
		}
	},
	"another study does not unseal": func(t *testing.T) { unsealable(t, "another", seal(t, sealing(t, 1), "ada")) },
	"an older key unseals": func(t *testing.T) {
		returned(t, "ada", webhook.ResultAccepted, sealing(t, 2, 1), seal(t, sealing(t, 1), "ada"))
	},
	"a removed key makes a bad reference": func(t *testing.T) {
		returned(t, "", webhook.ResultBadReference, sealing(t, 2), seal(t, sealing(t, 1), "ada"))
	},
	"a reference fits into a URL": func(t *testing.T) {
		for n := 1; n <= store.MaxIDLen; n++ {
			require.Regexp(t, `^[A-Za-z][A-Za-z0-9_-]*$`, seal(t, sealing(t, 1), strings.Repeat("x", n)))
		}
	},
	"an empty user is not sealed": func(t *testing.T) { unsealed(t, "") },
	"an invalid user is not sealed": func(t *testing.T) {
		unsealed(t, "a\x00b")
		unsealed(t, "\xff")
	},
	"one reference has one spelling": func(t *testing.T) {
		ref := seal(t, sealing(t, 1), "ada")
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		for _, last := range alphabet {
			if other := ref[:len(ref)-1] + string(last); other != ref {
				unsealable(t, studyID, other)
			}
		}
	},
	"a reference in lower case is a bad one": func(t *testing.T) {
		returned(t, "", webhook.ResultBadReference, sealing(t, 1), strings.ToLower(seal(t, sealing(t, 1), "ada")))
	},
}

// sealing seals with the first key and unseals with all keys.
func sealing(t *testing.T, keys ...byte) gate.References {
	var pairs [][]byte
	for _, k := range keys {
		pairs = append(pairs, bytes.Repeat([]byte{k}, 32), bytes.Repeat([]byte{k}, 16))
	}
	refs, err := gate.SealedReferences(pairs...)
	require.NoError(t, err)
	return refs
}

func seal(t *testing.T, refs gate.References, user string) string {
	ref, err := refs.Reference(store.Key{StudyID: studyID, UserID: user})
	require.NoError(t, err)
	return ref
}

func unsealed(t *testing.T, user string) {
	_, err := sealing(t, 1).Reference(store.Key{StudyID: studyID, UserID: user})
	require.ErrorIs(t, err, store.ErrInvalid)
}

func unsealable(t *testing.T, study, ref string) {
	_, err := sealing(t, 1).UserID(study, ref)
	require.ErrorIs(t, err, gate.ErrBadReference)
}

// returned delivers an interview with the reference. It must be recorded and answered
// with 200, whoever it belongs to.
func returned(t *testing.T, user string, reason webhook.Result, refs gate.References, ref string) {
	s := memstore.New()
	var got webhook.Result
	h, err := webhook.New(secret, s, &webhook.Options{
		References: refs, Logger: discard,
		OnDelivery: func(_ context.Context, d webhook.Delivery) { got = d.Result },
	})
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, webhooktest.NewRequest(secret, webhooktest.Completed(ref)))
	require.Equal(t, 200, rec.Code)
	require.Equal(t, reason, got)
	n := 0
	for c, err := range s.Completions(t.Context(), store.Filter{}) {
		require.NoError(t, err)
		require.Equal(t, user, c.UserID)
		n++
	}
	require.Equal(t, 1, n)
}
