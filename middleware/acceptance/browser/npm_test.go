package browser

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// npmPackage is an npm package, pinned by the hash of its tarball, which stays in the
// user's cache: after the first run on a machine no network is needed.
type npmPackage struct{ name, version, integrity string }

// npmFile is one file of an npm package.
type npmFile struct {
	npmPackage
	path   string
	source func() (string, error)
}

func newNPMFile(name, version, integrity, path string) *npmFile {
	f := &npmFile{npmPackage: npmPackage{name, version, integrity}, path: path}
	f.source = sync.OnceValues(f.read)
	return f
}

var (
	axeCore = newNPMFile("axe-core", "4.11.0",
		"sha512-ilYanEU8vxxBexpJd8cWM4ElSQq4QctCLKih0TSfjIfCQTeyH/6zVrmIJfLPrKTKJRbiG+cfnZbQIjAlJmF1jQ==", "package/axe.min.js")
	turbo = newNPMFile("@hotwired/turbo", "8.0.13",
		"sha512-M7qXUqcGab6G5PKOiwhgbByTtrPgKPFCTMNQ52QhzUEXEqmp0/ApEguUesh/FPiUjrmFec+3lq98KsWnYY2C7g==", "package/dist/turbo.es2017-umd.js")
	htmx = newNPMFile("htmx.org", "2.0.4",
		"sha512-HLxMCdfXDOJirs3vBZl/ZLoY+c7PfM4Ahr2Ad4YXh6d22T5ltbTXFFkpx9Tgb2vvmWFMbIc3LqN2ToNkZJvyYQ==", "package/dist/htmx.min.js")
)

// The style sheets of the zoo's pages.
var (
	bootstrap = newNPMFile("bootstrap", "5.3.8",
		"sha512-HP1SZDqaLDPwsNiqRqi5NcP0SSXciX2s9E+RyqJIIqGo+vJeN5AJVM98CXmW/Wux0nQ5L7jeWUdplCEf0Ee+tg==", "package/dist/css/bootstrap.min.css")
	pico = newNPMFile("@picocss/pico", "2.1.1",
		"sha512-kIDugA7Ps4U+2BHxiNHmvgPIQDWPDU4IeU6TNRdvXQM1uZX+FibqDQT2xUOnnO2yq/LUHcwnGlu1hvf4KfXnMg==", "package/css/pico.min.css")
	bulma = newNPMFile("bulma", "1.0.4",
		"sha512-Ffb6YGXDiZYX3cqvSbHWqQ8+LkX6tVoTcZuVB3lm93sbAVXlO0D6QlOTMnV6g18gILpAXqkG2z9hf9z4hCjz2g==", "package/css/bulma.min.css")
)

var errOtherHash = errors.New("the tarball has another hash than the pinned one")

// need is the file's text, or the end of a test that cannot have it.
func (f *npmFile) need(t testing.TB) string {
	t.Helper()
	return need(t, f.source)
}

func need(t testing.TB, source func() (string, error)) string {
	t.Helper()
	text, err := source()
	switch {
	case errors.Is(err, errOtherHash):
		t.Fatal(err)
	case err != nil:
		skip(t, "%v", err)
	}
	return text
}

func (f *npmFile) read() (source string, err error) {
	found := false
	err = f.each(func(path string, content []byte) error {
		if path == f.path {
			source, found = string(content), true
		}
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%s is not in %s", f.path, f.name)
	}
	return source, err
}

// unpack writes the package to where bundlers look for it.
func (f npmPackage) unpack(modules string) error {
	return f.each(func(path string, content []byte) error {
		_, path, _ = strings.Cut(path, "/") // "package", as a rule
		file := filepath.Join(modules, filepath.FromSlash(f.name), filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, content, 0o644)
	})
}

// each calls do with the files of the package.
func (f npmPackage) each(do func(path string, content []byte) error) error {
	tarball, err := f.tarball()
	if err != nil {
		return err
	}
	z, err := gzip.NewReader(bytes.NewReader(tarball))
	if err != nil {
		return err
	}
	for files := tar.NewReader(z); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(files)
		if err != nil {
			return err
		}
		if err := do(header.Name, content); err != nil {
			return err
		}
	}
}

func (f npmPackage) tarball() ([]byte, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "askonce-test")
	kept := filepath.Join(dir, strings.NewReplacer("@", "", "/", "-").Replace(f.name)+"-"+f.version+".tgz")
	tarball, err := os.ReadFile(kept)
	if err != nil || f.check(tarball) != nil {
		return f.download(dir, kept)
	}
	return tarball, nil
}

func (f npmPackage) download(dir, kept string) ([]byte, error) {
	missing := func(err error) error {
		return fmt.Errorf("no %s %s: it is not in %s, and npm, which would put it there, is missing or has no network: %w", f.name, f.version, dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	// Within dir, so that the file can be moved; of our own, so that two runs do not meet.
	tmp, err := os.MkdirTemp(dir, "download-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	pack := exec.Command("npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", tmp, f.name+"@"+f.version)
	pack.Dir = tmp
	if out, err := pack.CombinedOutput(); err != nil {
		return nil, missing(fmt.Errorf("%w %s", err, bytes.TrimSpace(out)))
	}
	found, err := filepath.Glob(filepath.Join(tmp, "*.tgz"))
	if err != nil || len(found) != 1 {
		return nil, missing(fmt.Errorf("npm pack left %d files", len(found)))
	}
	tarball, err := os.ReadFile(found[0])
	if err != nil {
		return nil, err
	}
	if err := f.check(tarball); err != nil {
		return nil, err
	}
	return tarball, os.Rename(found[0], kept)
}

func (f npmPackage) check(tarball []byte) error {
	sum := sha512.Sum512(tarball)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != f.integrity {
		return fmt.Errorf("%s %s: %w: %s", f.name, f.version, errOtherHash, got)
	}
	return nil
}
