//go:build unix

package integration

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	"github.com/askonce/askonce/store/storetest"
	"github.com/stretchr/testify/require"
)

// TestContractPgBouncer runs the suite through a PgBouncer that pools transactions,
// with the settings in the documentation of package sqlstore.
func TestContractPgBouncer(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("needs a run without -race: the detector finds nothing here that it does not find in TestContract")
	}
	bouncer := privatePgBouncer(t)
	bouncer.start()
	for _, tc := range []struct{ name, driver, settings string }{
		{"pgx-exec", "pgx", "&default_query_exec_mode=exec"},
		{"pq-binary-parameters", "postgres", "&binary_parameters=yes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := pool(t, tc.driver, bouncer.dsn+tc.settings)
			db.SetMaxOpenConns(8)
			storetest.Run(t, func(t *testing.T) store.Store {
				return migrated(t, db, sqlstore.Postgres, databases[0].fresh(t))
			})
		})
	}
}

// privatePgBouncer returns a PgBouncer in front of the server of the other tests.
func privatePgBouncer(t *testing.T) *server {
	program := binary(t, "pgbouncer")
	backend, err := url.Parse(databases[0].dsn(t))
	require.NoError(t, err)
	srv, dir, port := private(t, "postgres")
	login := "user=" + backend.User.Username()
	if password, ok := backend.User.Password(); ok {
		login += " password='" + password + "'"
	}
	file := filepath.Join(dir, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(file, []byte(fmt.Sprintf(`
[databases]
test = host=%s port=%s dbname=%s %s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 8
max_client_conn = 1000
ignore_startup_parameters = extra_float_digits
`, backend.Hostname(), backend.Port(), backend.Path[1:], login, port)), 0o644))
	srv.command = func() *exec.Cmd { return exec.Command(program, "--quiet", file) }
	srv.dsn = "postgres://any@127.0.0.1:" + port + "/test?sslmode=disable"
	srv.db = pool(t, "pgx", srv.dsn+"&default_query_exec_mode=exec")
	return srv
}
