package examples_test

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/userjourneys"
	"github.com/askonce/askonce/userjourneys/userjourneystest"
)

// quickstart returns the program of the README, not started.
func quickstart(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	output, err := build()
	require.NoError(t, err, "%s", output)
	command := exec.Command(filepath.Join(binaries, "quickstart"))
	command.Env = append([]string{}, env...) // nil would be this process's own
	return command
}

func TestQuickstart(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := free.Addr().String()
	require.NoError(t, free.Close())
	app := "http://" + addr

	fake := userjourneystest.NewServer(t, nil)
	fake.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback"})
	uj, err := userjourneys.NewClient(fake.APIKey(), &userjourneys.Options{BaseURL: fake.BaseURL()})
	require.NoError(t, err)
	_, err = uj.PutWebhook(t.Context(), userjourneys.Webhook{URL: app + "/webhooks/userjourneys"})
	require.NoError(t, err)

	command := quickstart(t, "ADDR="+addr, "USERJOURNEYS_BASE_URL="+fake.BaseURL(), "USERJOURNEYS_API_KEY="+fake.APIKey(),
		"USERJOURNEYS_WEBHOOK_SECRET="+fake.Secret())
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill() })
	eventually(t, "the app", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})

	var link string
	eventually(t, "a prompt", func() bool {
		link = startLink(newBrowser(t).get(app + "/").body)
		return link != ""
	})
	ada := newBrowser(t)
	click := ada.get(app + link)
	require.Equal(t, http.StatusSeeOther, click.status)
	interview, err := url.Parse(click.location)
	require.NoError(t, err)
	reference := url.Values{"reference_id": {interview.Query().Get("reference_id")}}
	interview.RawQuery = ""
	require.Equal(t, http.StatusOK, ada.post(interview.String(), reference).status)
	eventually(t, "a delivery", func() bool { return len(fake.Deliveries()) > 0 })
	require.Equal(t, http.StatusOK, fake.Deliveries()[0].Status)
	page := newBrowser(t).get(app + "/") // without cookies: the server must know
	require.Equal(t, http.StatusOK, page.status)
	require.Empty(t, startLink(page.body))

	require.NoError(t, command.Process.Signal(os.Interrupt))
	require.NoError(t, command.Wait())
}

func TestQuickstartNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	output, err := quickstart(t).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(output), "Config.APIKey is empty")
	require.Contains(t, string(output), "Config.WebhookSecret is empty")
}
