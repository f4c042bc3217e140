package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
)

const keysUsage = `Usage: askonce keys

Prints a new pair of keys for Config.CookieKeys, as a line for a file of
environment variables. All replicas need the same keys.

Keys for Config.References have the same format. Print another pair, rename its
variable, and read it like this:

  keys, err := middleware.ParseKeys(os.Getenv("ASKONCE_REFERENCE_KEYS"))
  refs, err := gate.SignedReferences(keys...) // or SealedReferences
`

const keysHint = `
Keep the line with the app's other secrets. Read it like this:

  keys, err := middleware.ParseKeys(os.Getenv("ASKONCE_COOKIE_KEYS"))

To rotate, append a new pair and deploy, then move it to the front and deploy again.
`

// keys prints a hash key and a block key. Only that line goes to out, so that
// "askonce keys >> .env" works.
func keys(_ context.Context, c *call) error {
	if err := c.parse(flag.NewFlagSet("keys", flag.ContinueOnError), keysUsage); err != nil {
		return err
	}
	var hash [64]byte
	var block [32]byte
	rand.Read(hash[:])
	rand.Read(block[:])
	fmt.Fprintf(c.out, "ASKONCE_COOKIE_KEYS=%s,%s\n", hex.EncodeToString(hash[:]), hex.EncodeToString(block[:]))
	fmt.Fprint(c.hints, keysHint)
	return nil
}
