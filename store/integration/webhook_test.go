//go:build unix

package integration

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/askonce/askonce/internal/crash"
	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
)

// TestCrashOfTheWebhook kills, and shuts down, a process that receives deliveries and
// stores them in a SQLite file.
func TestCrashOfTheWebhook(t *testing.T) {
	t.Parallel()
	names := []string{"sqlite-modernc"}
	if os.Getenv(longVariable) != "" {
		names = append(names, "sqlite-mattn")
	}
	eachDatabase(t, names, func(t *testing.T, d database) {
		settings := modernc
		if d.driver == "sqlite3" {
			settings = mattn
		}
		crash.Test(t, rounds(), func(dir string) (store.Store, error) {
			file := filepath.Join(dir, "askonce.db")
			createPrivate(t, file)
			db, err := sql.Open(d.driver, "file:"+file+settings)
			if err != nil {
				return nil, err
			}
			s, err := sqlstore.New(db, sqlstore.SQLite, nil)
			if err != nil {
				return nil, err
			}
			return ownDB{s, db}, s.Migrate(t.Context())
		})
	})
}

// ownDB closes the database with its store.
type ownDB struct {
	*sqlstore.Store
	db *sql.DB
}

func (o ownDB) Close() error { return errors.Join(o.Store.Close(), o.db.Close()) }
