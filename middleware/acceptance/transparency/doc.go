// Package transparency proves that the middleware does not interfere with compressors and
// WebSocket libraries of other people.
package transparency
