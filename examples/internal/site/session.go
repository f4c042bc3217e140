package site

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/gorilla/securecookie"

	"github.com/askonce/askonce/store"
)

// Admin is the one user who may read the interviews and see the console. It stands in for
// your app's roles.
const Admin = "admin"

const (
	sessionName = "session"
	sessionAge  = 30 * 24 * 60 * 60 // seconds
)

// User returns the user who is signed in, or "". The session is a signed and
// encrypted cookie. It stands in for your app's own.
func (s *Site) User(r *http.Request) string {
	var user string
	if c, err := r.Cookie(sessionName); err != nil || s.session.Decode(sessionName, c.Value, &user) != nil {
		return ""
	}
	return user
}

// Admin reports whether the admin sent the request.
func (s *Site) Admin(r *http.Request) bool { return s.User(r) == Admin }

// Login signs in anybody who gives a name, without a password.
func (s *Site) Login(w http.ResponseWriter, r *http.Request) {
	user := strings.TrimSpace(r.PostFormValue("user"))
	if len(user) > 64 || store.CheckID(user) != nil {
		http.Error(w, "A name has 1 to 64 bytes.", http.StatusBadRequest)
		return
	}
	value, err := s.session.Encode(sessionName, user)
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	setSession(w, r, value, sessionAge)
}

// Logout ends the session.
func (s *Site) Logout(w http.ResponseWriter, r *http.Request) { setSession(w, r, "", -1) }

func setSession(w http.ResponseWriter, r *http.Request, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionName, Value: value, MaxAge: age,
		Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// makeKeys derives the keys of all cookies from the secret, or from the one in
// the file if secret is empty.
func (s *Site) makeKeys(secret, file string) error {
	if secret == "" {
		var err error
		if secret, err = keptSecret(file); err != nil {
			return err
		}
	}
	if len(secret) < 32 {
		return errors.New("COOKIE_KEY is shorter than 32 characters")
	}
	k, err := hkdf.Key(sha256.New, []byte(secret), nil, "cookies of the askonce examples", 4*32)
	if err != nil {
		return err
	}
	s.session = securecookie.New(k[:32], k[32:64]).MaxAge(sessionAge)
	s.CookieKeys = [][]byte{k[64:96], k[96:]}
	return nil
}

// keptSecret returns the secret in the file, and creates it if there is none.
func keptSecret(file string) (string, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		secret, err := os.ReadFile(file)
		if err == nil && len(secret) < 32 {
			err = fmt.Errorf("%s holds no key: delete it, which logs everybody out", file)
		}
		return string(secret), err
	}
	if err != nil {
		return "", err
	}
	secret := rand.Text() + rand.Text()
	_, err = f.WriteString(secret)
	return secret, errors.Join(err, f.Close())
}
