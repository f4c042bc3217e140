package askgin_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/middleware/askgin"
	"github.com/askonce/askonce/middleware/internal/adaptertest"
	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	gin.DefaultWriter, gin.DefaultErrorWriter = io.Discard, io.Discard
	os.Exit(m.Run())
}

func servePage(c *gin.Context) {
	c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(adaptertest.Page))
}

func login(c *gin.Context) { c.Set("user", c.GetHeader(adaptertest.UserHeader)) }

func currentUser(c *gin.Context) string { return c.GetString("user") }

func newAsk(t *testing.T) gin.HandlerFunc { return askgin.New(adaptertest.New(t), currentUser) }

// serve returns an engine with this page at "/", behind the handlers of use.
func serve(page gin.HandlerFunc, use ...gin.HandlerFunc) *gin.Engine {
	e := gin.New()
	e.Use(use...)
	e.GET("/", page)
	return e
}

func TestPrompt(t *testing.T) {
	t.Parallel()
	adaptertest.Prompt(t, serve(servePage, login, newAsk(t)))
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
			adaptertest.Endpoints(t, e)
		})
	}
}

// A check of CSRF tokens before the middleware rejects "No thanks".
func TestTokensAreCheckedAfter(t *testing.T) {
	t.Parallel()
	csrf := func(c *gin.Context) {
		if c.Request.Method == http.MethodPost && c.GetHeader("X-CSRF-Token") == "" {
			c.AbortWithStatus(http.StatusForbidden)
		}
	}
	require.Equal(t, http.StatusNoContent, adaptertest.Decline(serve(servePage, login, newAsk(t), csrf)))
	require.Equal(t, http.StatusForbidden, adaptertest.Decline(serve(servePage, login, csrf, newAsk(t))))
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
			adaptertest.RenderedByTheApp(t, serve(func(c *gin.Context) {
				p, ok := from(c)
				require.Equal(t, c.GetString("user") == "ada", ok)
				require.Equal(t, ok, p.StartURL != "")
				servePage(c)
			}, login, newAsk(t)))
		})
	}
}

func TestUserIsAskedForOnlyWhenNeeded(t *testing.T) {
	t.Parallel()
	calls := 0
	ask := askgin.New(adaptertest.New(t), func(*gin.Context) string { calls++; return "" })
	adaptertest.UserOnlyWhenNeeded(t, serve(servePage, ask), &calls)
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
	adaptertest.Get(e, "/", adaptertest.UserHeader, "bob")
	require.Same(t, before, within, "nothing is wrapped without a prompt")
	require.Same(t, r, inner)
	adaptertest.Get(e, "/")
	require.NotSame(t, before, within)
	require.Same(t, before, after)
}

// leftBehind is a writer that a middleware deliberately leaves in place.
type leftBehind struct{ gin.ResponseWriter }

func TestForeignWriterStays(t *testing.T) {
	t.Parallel()
	var after gin.ResponseWriter
	e := gin.New()
	e.Use(login, func(c *gin.Context) { c.Next(); after = c.Writer }, newAsk(t))
	e.GET("/", func(c *gin.Context) { c.Writer = leftBehind{c.Writer}; servePage(c) })
	require.Contains(t, adaptertest.Get(e, "/").Body.String(), "<aside")
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
	w := adaptertest.Get(e, "/")
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
		_, _ = c.Writer.WriteString(adaptertest.Page[:20])
		require.True(t, c.Writer.Written(), "though it is held back")
		require.Equal(t, 20, c.Writer.Size())
		c.Status(http.StatusInternalServerError)
		require.Equal(t, http.StatusOK, c.Writer.Status(), "too late")
		_, _ = c.Writer.Write([]byte(adaptertest.Page[20:]))
		require.Equal(t, len(adaptertest.Page), c.Writer.Size())
	})
	w := adaptertest.Get(e, "/")
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), "<aside")
}

func TestCommittedBefore(t *testing.T) {
	t.Parallel()
	e := gin.New()
	e.Use(login, func(c *gin.Context) { c.Header("Content-Type", "text/html"); c.Writer.WriteHeaderNow() }, newAsk(t))
	e.GET("/", func(c *gin.Context) { _, _ = c.Writer.WriteString(adaptertest.Page) })
	require.Equal(t, adaptertest.Page, adaptertest.Get(e, "/").Body.String())
}

func TestNewPanicsWithoutAMiddleware(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, "askgin: New: m is nil", func() { askgin.New(nil, currentUser) })
}

// Without the adapter's func for the user, the middleware calls its own.
func TestUserOfTheMiddleware(t *testing.T) {
	t.Parallel()
	adaptertest.Prompt(t, serve(servePage, askgin.New(adaptertest.NewWithUser(t), nil)))
}
