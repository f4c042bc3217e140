// Package console is what an operator of askonce looks at: pages for the studies,
// the people, the interviews, the queue and the deliveries, made on the server
// and without JavaScript. Package askonce exports it.
//
// # Where a page is
//
// The last element of a request's path names the page, and everything else is in
// the query. So the console works at any prefix, with and without
// [http.StripPrefix] and behind any router, and its links are relative: "queue",
// "interview?id=…".
//
// # What a page may wait for
//
// The store and the provider are called through wait and take, which give up
// after [patience]. A page asks for its parts at the same time, shows those that
// it got, and says of the others why they are missing.
package console
