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

// npmFile is one file of an npm package. The package is pinned by the hash of its
// tarball, which stays in the user's cache: after the first run on a machine no
// network is needed.
type npmFile struct {
	name, version, integrity, path string
	source                         func() (string, error)
}

func newNPMFile(name, version, integrity, path string) *npmFile {
	f := &npmFile{name: name, version: version, integrity: integrity, path: path}
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
	source, err := f.source()
	switch {
	case errors.Is(err, errOtherHash):
		t.Fatal(err)
	case err != nil:
		skip(t, "%v", err)
	}
	return source
}

func (f *npmFile) read() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "askonce-test")
	kept := filepath.Join(dir, strings.NewReplacer("@", "", "/", "-").Replace(f.name)+"-"+f.version+".tgz")
	tarball, err := os.ReadFile(kept)
	if err != nil || f.check(tarball) != nil {
		if tarball, err = f.download(dir, kept); err != nil {
			return "", err
		}
	}
	return f.extract(tarball)
}

func (f *npmFile) download(dir, kept string) ([]byte, error) {
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

func (f *npmFile) check(tarball []byte) error {
	sum := sha512.Sum512(tarball)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != f.integrity {
		return fmt.Errorf("%s %s: %w: %s", f.name, f.version, errOtherHash, got)
	}
	return nil
}

func (f *npmFile) extract(tarball []byte) (string, error) {
	z, err := gzip.NewReader(bytes.NewReader(tarball))
	if err != nil {
		return "", err
	}
	for files := tar.NewReader(z); ; {
		header, err := files.Next()
		if err != nil {
			return "", fmt.Errorf("%s in %s: %w", f.path, f.name, err)
		}
		if header.Name == f.path {
			source, err := io.ReadAll(files)
			return string(source), err
		}
	}
}
