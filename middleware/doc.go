// Package middleware puts a prompt into the pages of any [http.Handler], for the
// users whom a gate decides to ask, and serves the endpoints that the prompt
// needs.
//
// A request that gets no prompt reaches the handler with its own ResponseWriter
// and Request: nothing is wrapped and nothing is allocated. For a user who is
// asked, the page is not searched. Its bytes pass through, except for a short
// tail that is held back. When the handler returns and the tail is the end of an
// HTML document, the prompt is written there. Every other response (other types,
// statuses, encodings, fragments, truncated pages) is sent byte for byte.
//
// # Which requests are for a page
//
// A request that asks for a whole page is known by its method, GET or HEAD, and by its
// header. No other request gets a prompt, and the user is not looked up for it.
//
//	a browser                     Sec-Fetch-Dest: document, Accept: text/html,…
//	a browser, by a service       Sec-Fetch-Dest: empty, Sec-Fetch-Mode: navigate or same-origin,
//	worker's fetch(event.request) Accept: text/html,…
//	an old browser                no Sec-Fetch-Dest, Accept: text/html,…
//	Turbo                         X-Turbo-Request-Id, no Turbo-Frame
//	Turbolinks 5                  Turbolinks-Referrer
//	htmx                          HX-Boosted or HX-History-Restore-Request
//	Unpoly                        X-Up-Target: body or html
//	Swup                          X-Requested-With: swup
//
// Astro's ClientRouter sends nothing by which its requests differ from any other fetch:
// its pages get no prompt until the next full load. An app with such a router can ask
// the decision endpoint instead.
//
// # Where to mount it
//
// Mount it inside logging, recovery, sessions and compression, and outside
// whatever caches pages within the app: the prompt is one user's, and a page
// that carries it leaves as Cache-Control: private. Mount a check for CSRF tokens
// inside too, or exempt Options.Path from it: the prompt's forms have no token,
// and the endpoints refuse posts from other sites themselves, with
// [http.CrossOriginProtection]. The app's own CrossOriginProtection may be inside or
// outside. If only some routes are wrapped, mount [Middleware.Endpoints] at
// Options.Path: without style and script the prompt stays hidden.
//
// # Content Security Policy
//
// The policy "default-src 'self'" allows all of the prompt. It has no inline style or
// script and loads nothing from other hosts. At the least it needs style-src, and
// form-action or both script-src and connect-src. A nonce in the policy is used for the
// style and the script. A part that the policy forbids is left out, if the prompt works
// without it. Otherwise the page gets no prompt, with [OutcomePolicy].
//
// # The prompt in the browser
//
// The prompt is an aside element with a shadow root at the end of the body, or in the
// element that has the attribute data-askonce-here. It takes the page's font and a
// background that suits the page's. The page may set custom properties for it:
//
//	--askonce-accent      the button; the text on it is made readable
//	--askonce-background  of the prompt; its text is made readable
//	--askonce-font, --askonce-radius, --askonce-offset (from the window's edge), --askonce-z
//
// It dispatches events on document, whose detail has the study's id: askonce:shown once
// half of it has been visible for a second, askonce:started, askonce:later,
// askonce:declined, askonce:undone and askonce:optedout.
//
// For apps that render the prompt themselves, askonce.js below [Options].Path is a module
// that exports createAskonce, a client of the endpoints. It dispatches the same events.
// askonce.d.ts beside it has its types and documentation: copy both into the app.
package middleware

// Where things are:
//
//	middleware.go options.go      New, Handler
//	serve.go outcome.go           one request: whether it gets the prompt, and its response
//	visitor.go                    who sent it, and what this browser has seen
//	cookie.go memo.go keys.go     how a browser keeps that, and how it is cached here
//	prompt.go                     words, links, position
//	endpoints.go answers.go       what the prompt's links, forms and scripts call
//	decision.go                   the decision endpoint, and links that need no session
//	event.go                      what OnInteraction is called with
//	internal/page                 which requests are for pages, and the place in the page
//	internal/prompt               what is placed
