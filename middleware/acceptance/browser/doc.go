// Package browser holds the tests that look at the prompt and at the console in a real browser:
// headless Chromium, found on the PATH or by ASKONCE_TEST_CHROMIUM. Unless that is set, most
// tests take Debian's headless shell of Chromium if it is there, because it needs a quarter of the time.
//
//	go test ./browser
//	go test ./browser -run Screenshots -screenshots   # renders the pictures anew
//	go test ./browser -run Minified -minify           # writes the minified assets
//	go test ./browser -run Zoo -sheet /tmp/zoo.png    # a sheet of thumbnails for each browser
//	ASKONCE_ZOO=all go test ./browser -run Zoo -timeout 2h
//
// The zoo is looked at in Firefox too, found on the PATH or by ASKONCE_TEST_FIREFOX, and Firefox is one of the two browsers of
// the tests with two replicas. Those need a PostgreSQL server, which ASKONCE_TEST_POSTGRES names.
// A run without ASKONCE_ZOO=all takes a sample of it.
package browser
