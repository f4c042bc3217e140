// Package browser holds the tests that look at the prompt and at the console in a real browser:
// headless Chromium, found on the PATH or by ASKONCE_TEST_CHROMIUM.
//
//	go test ./browser
//	go test ./browser -run Screenshots -screenshots   # renders the pictures anew
package browser
