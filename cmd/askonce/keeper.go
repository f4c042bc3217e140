package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// keeper hands a new secret to the operator: into a file of its own, or else
// printed. The file is made before the secret is, so that one that cannot be
// made costs nothing.
type keeper struct {
	out  io.Writer
	file *os.File // nil: print
	kept bool
}

func newKeeper(path string, out io.Writer) (*keeper, error) {
	if path == "" {
		return &keeper{out: out}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%w: name a new file, so that no secret is overwritten", err)
	}
	return &keeper{out: out, file: f}, err
}

// keep stores the secret so that it survives a power cut. A secret that cannot
// be stored is printed, since it is never shown again.
func (k *keeper) keep(secret string) error {
	var err error
	if k.file != nil {
		if err = k.write(secret); err == nil {
			fmt.Fprintf(k.out, "Its secret is in %s. Give it to the app as USERJOURNEYS_WEBHOOK_SECRET.\n", k.file.Name())
			return nil
		}
		err = fmt.Errorf("the secret could not be written, so it was printed: %w", err)
	}
	fmt.Fprintf(k.out, "\n  USERJOURNEYS_WEBHOOK_SECRET=%s\n\n"+
		"This secret is shown only now. Keep it where the app's other secrets are, outside the repository.\n", secret)
	return err
}

func (k *keeper) write(secret string) error {
	if _, err := fmt.Fprintln(k.file, secret); err != nil {
		return err
	}
	if err := k.file.Sync(); err != nil {
		return err
	}
	k.kept = true
	dir, err := os.Open(filepath.Dir(k.file.Name()))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// close removes a file that no secret came into.
func (k *keeper) close() {
	if k.file == nil {
		return
	}
	k.file.Close()
	if !k.kept {
		os.Remove(k.file.Name())
	}
}
