// Package transparency proves that the middleware does not show, together with
// compressors and WebSocket libraries of other people's; and it measures what it
// costs a server: see the command in cpu.
package transparency
