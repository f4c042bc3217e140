// Package sqlstore keeps everything that askonce stores in PostgreSQL, MySQL,
// MariaDB or SQLite, through database/sql and the driver of the app's choice.
//
// The differences between the databases are in one [Dialect] each; everything else
// is the same SQL for all. Tables are made by [Store.Migrate], or by the app's own
// migrations from [Schema].
//
// Nothing here imports a driver.
package sqlstore
