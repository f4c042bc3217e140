// Package matrix proves the adapters against their frameworks: the same
// application is served bare and with the prompt in its pages, in net/http,
// chi, Gin and both lines of Echo, and the two must not differ in anything but
// the prompt. The tests are all there is.
package matrix
