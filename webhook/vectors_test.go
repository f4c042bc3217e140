package webhook_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/store/memstore"
	"github.com/askonce/askonce/webhook"
	"github.com/askonce/askonce/webhook/webhooktest"
)

const (
	secret   = "whsec_5b69ff6a12af94c6e3901a061180ca73"
	previous = "whsec_00112233445566778899aabbccddeeff"
	studyID  = webhooktest.StudyID
)

// vectors are test cases as data; the file says where they come from.
type vectors struct {
	Signature []struct {
		ID       string  `json:"id"`
		KeyB64   string  `json:"key_b64"`
		BodyB64  string  `json:"body_b64"`
		BodyGen  bodyGen `json:"body_gen"`
		BodyLen  int     `json:"body_len"`
		BodySum  string  `json:"body_sha256"`
		HMAC     string  `json:"hmac_sha256_hex"`
		Header   string  `json:"header"`
		NotUnder string  `json:"must_not_verify_under"`
	} `json:"signature_vectors"`
	Request []struct {
		request
		ID       string `json:"id"`
		Category string `json:"category"`
		Secrets  []string
		Store    string
		Expect   expectation
	} `json:"request_vectors"`
	Sequence []struct {
		ID    string
		Steps []struct {
			request
			Do          string
			N           int
			Mode        string
			Set         []string
			InterviewID string `json:"interview_id"`
			ReferenceID string `json:"reference_id"`
			Expect      expectation
		}
		Final struct {
			Interviews, Jobs int
			Complete         []string
		}
	} `json:"sequence_vectors"`
	Construction []struct {
		ID     string
		Input  struct{ Secrets []string }
		Expect string
		Note   string
	} `json:"construction_vectors"`
}

type request struct {
	Method, Path, Framing string
	Headers               [][2]string
	BodyB64               string  `json:"body_b64"`
	BodyGen               bodyGen `json:"body_gen"`
}

type bodyGen struct {
	Kind string
	Byte byte
	N    int
}

type expectation struct {
	Status                                                int
	Effect, Reason, User, Interview, Quality, Allow, Note string
	RetryAfter                                            bool `json:"retry_after"`
	AlsoOK                                                []struct {
		Status int
		Effect string
	} `json:"also_ok"`
}

// passed counts the vectors of each kind.
var passed sync.Map // kind → *atomic.Int64

func count(t *testing.T, kind string) {
	n, _ := passed.LoadOrStore(kind, new(atomic.Int64))
	t.Cleanup(func() {
		if !t.Failed() {
			n.(*atomic.Int64).Add(1)
		}
	})
}

// TestMain prints, with -v, how many vectors of each kind have passed.
func TestMain(m *testing.M) {
	code := m.Run()
	var counts []string
	for _, kind := range []string{"signature", "request", "sequence", "construction"} {
		if n, ok := passed.Load(kind); ok {
			counts = append(counts, fmt.Sprintf("%d %s", n.(*atomic.Int64).Load(), kind))
		}
	}
	if len(counts) > 0 && testing.Verbose() {
		fmt.Println("vectors passed:", strings.Join(counts, ", "))
	}
	os.Exit(code)
}

func loadVectors(t testing.TB) *vectors {
	t.Helper()
	b, err := os.ReadFile("../testdata/webhook/vectors.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(b, &v))
	return &v
}

// documented is the body in the provider's documentation, in compact form.
func (v *vectors) documented(t testing.TB) []byte {
	t.Helper()
	for _, s := range v.Signature {
		if s.ID == "sig-docs-compact" {
			return unbase64(t, s.BodyB64)
		}
	}
	t.Fatal("no documented body")
	return nil
}

func (v *vectors) body(t testing.TB, b64 string, gen bodyGen) []byte {
	t.Helper()
	switch gen.Kind {
	case "":
		return unbase64(t, b64)
	case "repeat":
		return bytes.Repeat([]byte{gen.Byte}, gen.N)
	case "pad_study_name":
		doc := v.documented(t)
		from := bytes.Index(doc, []byte(`"study_name":"`)) + len(`"study_name":"`)
		to := from + bytes.IndexByte(doc[from:], '"')
		pad := gen.N - len(doc) + (to - from)
		return append(append(append([]byte{}, doc[:from]...), bytes.Repeat([]byte("n"), pad)...), doc[to:]...)
	}
	t.Fatalf("unknown body generator %q", gen.Kind)
	return nil
}

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	require.NoError(t, err)
	return b
}

func TestVectorsSignature(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)
	for _, s := range v.Signature {
		t.Run(s.ID, func(t *testing.T) {
			t.Parallel()
			count(t, "signature")
			body := v.body(t, s.BodyB64, s.BodyGen)
			require.Len(t, body, s.BodyLen)
			sum := sha256.Sum256(body)
			require.Equal(t, s.BodySum, hex.EncodeToString(sum[:]), "the body is the one that was signed")
			key := string(unbase64(t, s.KeyB64))
			require.Equal(t, s.Header, webhooktest.Sign(key, body))

			header := http.Header{"X-Webhook-Signature": {s.Header}}
			err := webhook.Verify([]string{key}, header, body)
			if strings.TrimSpace(key) != key || len(key) < 16 {
				require.ErrorIs(t, err, webhook.ErrSecret, "a key like this is refused whatever it signs")
			} else {
				require.NoError(t, err)
			}
			if s.NotUnder != "" {
				require.ErrorIs(t, webhook.Verify([]string{s.NotUnder}, header, body), webhook.ErrBadSignature)
			}
		})
	}
}

func TestVectorsConstruction(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)
	for _, c := range v.Construction {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			count(t, "construction")
			opts := &webhook.Options{}
			first := ""
			if len(c.Input.Secrets) > 0 {
				first = c.Input.Secrets[0]
				opts.PreviousSecrets = c.Input.Secrets[1:]
			}
			h, err := webhook.New(first, memstore.New(), opts)
			if c.Expect == "ok" {
				require.NoError(t, err, c.Note)
				require.NotNil(t, h)
				return
			}
			require.Error(t, err, c.Note)
			for _, s := range c.Input.Secrets {
				if len(s) > 8 {
					require.NotContains(t, err.Error(), s, "an error that shows the secret")
				}
			}
		})
	}
}
