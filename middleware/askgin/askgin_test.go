package askgin_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/askgin"
	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	gin.DefaultWriter, gin.DefaultErrorWriter = io.Discard, io.Discard
	os.Exit(m.Run())
}

// asksAda asks Ada, and nobody else.
type asksAda struct{}

func (asksAda) Decide(_ context.Context, v gate.Visitor) gate.Decision {
	if v.UserID != "ada" {
		return gate.Decision{Reason: gate.ReasonHeldOut}
	}
	return gate.Decision{Reason: gate.ReasonEligible, Prompt: gate.Prompt{
		StudyID: "s1", InterviewLink: "https://interviews.example/i/a", UserID: v.UserID,
	}}
}

func (a asksAda) Confirm(ctx context.Context, v gate.Visitor) gate.Decision { return a.Decide(ctx, v) }

const page = "<!doctype html><html><body><p>Hello</p></body></html>"

func servePage(c *gin.Context) { c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(page)) }

func login(c *gin.Context) { c.Set("user", c.GetHeader("X-User")) }

func currentUser(c *gin.Context) string { return c.GetString("user") }

func newMiddleware(t *testing.T) *middleware.Middleware {
	m, err := middleware.New(asksAda{}, func(*http.Request) string { return "" }, nil)
	require.NoError(t, err)
	return m
}

func newAsk(t *testing.T) gin.HandlerFunc {
	return askgin.New(newMiddleware(t), currentUser)
}

// get requests a page as a browser does when its user, Ada, opens it.
func get(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	return send(h, http.MethodGet, path, header...)
}

func send(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	r.Header.Set("X-User", "ada")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPrompt(t *testing.T) {
	t.Parallel()
	e := gin.New()
	e.Use(login, newAsk(t))
	e.GET("/", servePage)
	w := get(e, "/")
	require.Regexp(t, `^<!doctype html><html><body><p>Hello</p><aside[\s\S]*</body></html>$`, w.Body.String())
	require.Equal(t, "private", w.Header().Get("Cache-Control"))
	require.Equal(t, page, get(e, "/", "X-User", "bob").Body.String(), "Bob is not asked")
	require.Equal(t, page, get(e, "/", "X-User", "").Body.String(), "nobody is not asked")
	require.Equal(t, page, get(e, "/", "Accept", "*/*").Body.String(), "a tool is not asked")
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	everywhere := gin.New()
	everywhere.Use(login, newAsk(t))
	everywhere.NoRoute(func(c *gin.Context) { c.String(http.StatusOK, "the app's") })
	ofGroup := gin.New()
	ask := newAsk(t)
	ofGroup.Group("/pages", login, ask).GET("/", servePage)
	ofGroup.Any("/askonce/*any", login, ask)
	for name, e := range map[string]*gin.Engine{"for the engine": everywhere, "for a group": ofGroup} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := get(e, "/askonce/start?study=s1")
			require.Equal(t, http.StatusSeeOther, w.Code)
			require.Equal(t, "https://interviews.example/i/a?reference_id=ada", w.Header().Get("Location"))
			w = get(e, "/askonce/start?study=s1", "X-User", "")
			require.Empty(t, w.Header().Get("Location"), "nobody is sent on")
			w = get(e, "/askonce/decision", "Accept", "application/json")
			require.Equal(t, http.StatusOK, w.Code)
			require.Contains(t, w.Body.String(), "/askonce/start?study=s1")
			w = get(e, "/askonce/none")
			require.Equal(t, http.StatusNotFound, w.Code)
			require.NotContains(t, w.Body.String(), "the app's")

			w = send(e, http.MethodHead, "/askonce/start?study=s1")
			require.Equal(t, http.StatusOK, w.Code)
			require.Empty(t, w.Header().Get("Location"), "only a click is confirmed")
			for path, form := range map[string]int{"/askonce/later?study=s1": http.StatusSeeOther, "/askonce/decline?study=s1": http.StatusOK} {
				w = send(e, http.MethodPost, path, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors")
				require.Equal(t, http.StatusNoContent, w.Code)
				require.Empty(t, w.Body.String())
				require.Contains(t, w.Header().Get("Set-Cookie"), "askonce=")
				w = send(e, http.MethodPost, path, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
				require.Equal(t, form, w.Code, "without JavaScript")
				w = send(e, http.MethodPost, path, "Sec-Fetch-Site", "cross-site")
				require.Equal(t, http.StatusForbidden, w.Code)
				require.Empty(t, w.Header().Get("Set-Cookie"))
				w = get(e, path)
				require.Equal(t, http.StatusMethodNotAllowed, w.Code)
				require.Equal(t, http.MethodPost, w.Header().Get("Allow"))
				require.Empty(t, w.Header().Get("Set-Cookie"))
			}
		})
	}
}

// A check for tokens that stands before the middleware lets nobody decline.
func TestTokensAreAskedForBehind(t *testing.T) {
	t.Parallel()
	csrf := func(c *gin.Context) {
		if c.Request.Method == http.MethodPost && c.GetHeader("X-CSRF-Token") == "" {
			c.AbortWithStatus(http.StatusForbidden)
		}
	}
	post := func(order ...gin.HandlerFunc) int {
		e := gin.New()
		e.Use(order...)
		return send(e, http.MethodPost, "/askonce/decline?study=s1", "Accept", "*/*", "Origin", "http://example.com").Code
	}
	require.Equal(t, http.StatusNoContent, post(login, newAsk(t), csrf))
	require.Equal(t, http.StatusForbidden, post(login, csrf, newAsk(t)))
}

func TestPromptFrom(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]func(c *gin.Context) (middleware.Content, bool){
		"askgin":                    askgin.PromptFrom,
		"the request's context":     func(c *gin.Context) (middleware.Content, bool) { return middleware.PromptFrom(c.Request.Context()) },
		"a copy for another thread": func(c *gin.Context) (middleware.Content, bool) { return askgin.PromptFrom(c.Copy()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := gin.New()
			e.Use(login, newAsk(t))
			e.GET("/", func(c *gin.Context) {
				p, ok := from(c)
				require.Equal(t, c.GetString("user") == "ada", ok)
				require.Equal(t, ok, p.StartURL != "")
				servePage(c)
			})
			require.Equal(t, page, get(e, "/").Body.String(), "who takes the prompt renders it")
			require.Equal(t, page, get(e, "/", "X-User", "bob").Body.String())
		})
	}
}

func TestUserIsAskedForOnlyWhenNeeded(t *testing.T) {
	t.Parallel()
	calls := 0
	ask := askgin.New(newMiddleware(t), func(*gin.Context) string { calls++; return "" })
	e := gin.New()
	e.Use(ask)
	e.GET("/", servePage)
	get(e, "/", "Accept", "*/*")
	get(e, "/", "Sec-Fetch-Dest", "image")
	require.Zero(t, calls)
	get(e, "/")
	require.Equal(t, 1, calls)
	get(e, "/askonce/start")
	require.Equal(t, 2, calls)
}

func TestWriterAndRequest(t *testing.T) {
	t.Parallel()
	var before, within, after gin.ResponseWriter
	var r, inner *http.Request
	e := gin.New()
	e.Use(login, func(c *gin.Context) {
		before, r = c.Writer, c.Request
		c.Next()
		after = c.Writer
	}, newAsk(t))
	e.GET("/", func(c *gin.Context) { within, inner = c.Writer, c.Request; servePage(c) })
	get(e, "/", "X-User", "bob")
	require.Same(t, before, within, "nothing is wrapped for who is not asked")
	require.Same(t, r, inner)
	get(e, "/")
	require.NotSame(t, before, within)
	require.Same(t, before, after)
}

// Some middlewares leave a writer of their own behind, for a reason.
type leftBehind struct{ gin.ResponseWriter }

func TestForeignWriterStays(t *testing.T) {
	t.Parallel()
	var after gin.ResponseWriter
	e := gin.New()
	e.Use(login, func(c *gin.Context) { c.Next(); after = c.Writer }, newAsk(t))
	e.GET("/", func(c *gin.Context) { c.Writer = leftBehind{c.Writer}; servePage(c) })
	require.Contains(t, get(e, "/").Body.String(), "<aside")
	require.IsType(t, leftBehind{}, after)
}

func TestErrorPageThroughKeptWriter(t *testing.T) {
	t.Parallel()
	e := gin.New()
	var kept gin.ResponseWriter
	e.Use(login, func(c *gin.Context) {
		c.Next()
		if len(c.Errors) > 0 && !c.Writer.Written() {
			kept.WriteHeader(http.StatusTeapot)
			_, _ = kept.WriteString("sorry")
		}
	}, newAsk(t))
	e.GET("/", func(c *gin.Context) { kept = c.Writer; _ = c.Error(errors.New("boiling")) })
	w := get(e, "/")
	require.Equal(t, http.StatusTeapot, w.Code)
	require.Equal(t, "sorry", w.Body.String())
}

func TestWhatIsWrittenCountsAtOnce(t *testing.T) {
	t.Parallel()
	e := gin.New()
	e.Use(login, newAsk(t))
	e.GET("/", func(c *gin.Context) {
		require.False(t, c.Writer.Written())
		require.Equal(t, -1, c.Writer.Size())
		c.Header("Content-Type", "text/html")
		_, _ = c.Writer.WriteString(page[:20])
		require.True(t, c.Writer.Written(), "though it is held back")
		require.Equal(t, 20, c.Writer.Size())
		c.Status(http.StatusInternalServerError)
		require.Equal(t, http.StatusOK, c.Writer.Status(), "too late")
		_, _ = c.Writer.Write([]byte(page[20:]))
		require.Equal(t, len(page), c.Writer.Size())
	})
	w := get(e, "/")
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), "<aside")
}

func TestCommittedBefore(t *testing.T) {
	t.Parallel()
	e := gin.New()
	e.Use(login, func(c *gin.Context) { c.Header("Content-Type", "text/html"); c.Writer.WriteHeaderNow() }, newAsk(t))
	e.GET("/", func(c *gin.Context) { _, _ = c.Writer.WriteString(page) })
	require.Equal(t, page, get(e, "/").Body.String())
}

func TestNewPanicsWithoutAMiddleware(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, "askgin: New: m is nil", func() { askgin.New(nil, currentUser) })
}

// Without a func of the framework the middleware's own finds out who the user is.
func TestUserOfTheMiddleware(t *testing.T) {
	t.Parallel()
	m, err := middleware.New(asksAda{}, func(r *http.Request) string { return r.Header.Get("X-User") }, nil)
	require.NoError(t, err)
	e := gin.New()
	e.Use(askgin.New(m, nil))
	e.GET("/", servePage)
	require.Contains(t, get(e, "/").Body.String(), "<aside")
	require.Equal(t, page, get(e, "/", "X-User", "bob").Body.String())
}
