package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// secretFile gives a new secret to the operator: in a file, or printed if there is none.
// The file is created before the secret, so that a file that cannot be created fails
// before anything has changed.
type secretFile struct {
	out     io.Writer
	file    *os.File // nil: print
	written bool
}

func newSecretFile(path string, out io.Writer) (*secretFile, error) {
	if path == "" {
		return &secretFile{out: out}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%w: name a new file, so that no secret is overwritten", err)
	}
	return &secretFile{out: out, file: f}, err
}

// keep writes the secret so that it survives a power failure. A secret that
// cannot be written is printed, because it is never shown again.
func (s *secretFile) keep(secret string) error {
	var err error
	if s.file != nil {
		if err = s.write(secret); err == nil {
			fmt.Fprintf(s.out, "Its secret is in %s. Give it to the app as %s.\n", s.file.Name(), secretVariable)
			return nil
		}
		err = fmt.Errorf("the secret was printed, because it could not be written: %w", err)
	}
	fmt.Fprintf(s.out, "\n  %s=%s\n\n"+
		"This secret is shown only now. Keep it with the app's other secrets, outside the repository.\n", secretVariable, secret)
	return err
}

// write writes no final newline: an app may read the file with os.ReadFile and
// use all of it.
func (s *secretFile) write(secret string) error {
	if _, err := s.file.WriteString(secret); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.written = true
	dir, err := os.Open(filepath.Dir(s.file.Name()))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// close removes a file without a secret.
func (s *secretFile) close() {
	if s.file == nil {
		return
	}
	s.file.Close()
	if !s.written {
		os.Remove(s.file.Name())
	}
}
