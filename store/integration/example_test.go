package integration

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/askonce/askonce/store"
	"github.com/askonce/askonce/store/sqlstore"
	_ "modernc.org/sqlite"
)

// A SQLite file that survives restarts and power failures.
func Example_sqlite() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "askonce")
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "askonce.db")

	// Nobody else may read who was interviewed.
	if f, err := os.OpenFile(file, os.O_CREATE, 0o600); err == nil {
		f.Close()
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=journal_mode(WAL)"+
		"&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_pragma=secure_delete(1)")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	done, err := sqlstore.New(db, sqlstore.SQLite, nil)
	if err != nil {
		panic(err)
	}
	if err := done.Migrate(ctx); err != nil {
		panic(err)
	}

	ada := store.Key{StudyID: "onboarding", UserID: "ada"}
	for range 2 { // a webhook may be delivered twice
		first, err := done.Record(ctx, store.Completion{Key: ada, InterviewID: "i1", CompletedAt: time.Now()})
		fmt.Println("first:", first, err)
	}
	completed, err := done.Completed(ctx, ada)
	fmt.Println("completed:", completed, err)
	// Output:
	// first: true <nil>
	// first: false <nil>
	// completed: true <nil>
}
