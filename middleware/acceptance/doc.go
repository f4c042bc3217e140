// Package acceptance holds what proves the middleware together with other
// people's software: compressors, WebSocket libraries, frameworks, a browser.
// It is a module of its own, and unpublished, so that none of them reaches an
// app that imports the middleware.
package acceptance
