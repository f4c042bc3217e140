// Package middleware puts a prompt into the pages of any [http.Handler], for the users
// whom a gate decides to ask, and serves the endpoints that the prompt needs.
//
// A request that gets no prompt reaches the handler with its own ResponseWriter and
// Request: nothing is wrapped and nothing is allocated. For a user who is asked, the page
// is not searched. Its bytes pass through, except for a short tail that is held back. When
// the handler returns and the tail is the end of an HTML document, the prompt is written
// there. Every other response (other types, statuses, encodings, fragments, truncated
// pages) is sent byte for byte.
//
// # Which requests are for a page
//
// Only a request for a whole page can get a prompt. It is recognized by its method, GET or
// HEAD, and by its header. For any other request the user is not looked up.
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
// The requests of Astro's ClientRouter look like any other fetch: its pages get no prompt
// until the next full load. An app with such a router can call the decision endpoint
// instead.
//
// # Where to mount it
//
// Mount it inside logging, recovery, sessions and compression, and outside whatever caches
// pages within the app: the prompt is for one user, and a page that carries it leaves as
// Cache-Control: private, no-cache, so that nothing shows it again once the user has
// answered. Mount a check for CSRF tokens inside too, or exempt Options.Path from it: the
// prompt's forms have no token, and the endpoints refuse posts from other sites themselves,
// with [http.CrossOriginProtection]. The app's own CrossOriginProtection may be inside or
// outside. If only some routes are wrapped, mount [Middleware.Endpoints] at Options.Path:
// without its style and script the prompt stays hidden.
//
// # Content Security Policy
//
// The policy "default-src 'self'" allows all of the prompt. It has no inline style or
// script and loads nothing from other hosts. It needs at least style-src, and either
// form-action or both script-src and connect-src. A nonce in the policy is used for the
// style and the script. A part that the policy forbids is left out if the prompt works
// without it. Otherwise the page gets no prompt, with [OutcomePolicy].
//
// # The prompt in the browser
//
// The prompt is an aside element with a shadow root, at the end of the body or in the
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
// # Endpoints
//
// The prompt's links, forms and script call these endpoints below [Options].Path. All other
// paths below it are 404.
//
//	GET  start?study=…     confirms that the study has a place for the user and redirects to the interview
//	POST shown?study=…     records that the user has seen the prompt; GET is for an image without JavaScript
//	POST later?study=…     snoozes the study for Options.Snooze
//	POST decline?study=…   declines the study for good
//	POST undo?study=…      takes the last answer back; without a study, the opt-out
//	POST optout            declines every study for good
//	GET  decision          the decision as JSON, for single-page apps
//	GET  askonce.js, askonce.d.ts, prompt-….css, prompt-….js
//
// Only a navigation of a whole page can start an interview, and only the app's own origin
// can record anything. A POST is answered with status 204. If the interaction could not be
// recorded, the status is 503. If it never can be, because [store.CheckID] refuses the
// user's id or the user has answered about [store.MaxStudies] studies, it is 400.
//
// Without JavaScript, a form is answered with a page. After decline and optout it offers to
// undo the answer; after later and undo it is the page that the form was on, named by the
// parameter back, a path of the app, or else by Referer.
//
// # Single-page apps
//
// An app that renders the prompt itself requests a decision, shows the texts, opens
// links.start in a new tab and posts to the other links. A decision has no side effect.
// Below Options.Path, askonce.js is a module that exports createAskonce, a client of the
// endpoints that dispatches the same events as the prompt. askonce.d.ts has its types and
// documentation: copy both into the app. The decision is
//
//	{"ask": true, "reason": "eligible", "study": "…", "language": "de", "direction": "ltr",
//	 "texts": {"title": "…", "text": "…", "facts": ["…"], "start": "…", "later": "…", "decline": "…", …},
//	 "links": {"start": "…", "shown": "…", "later": "…", "decline": "…", "undo": "…", "optOut": "…"}}
//
// or "ask": false with the reason, a [gate.Reason]. It then has links.start only if the
// request names a study and has a user, for a permanent link. The parameter study limits
// the decision to one study, language names the language of the app's interface, and peek
// marks a dry run.
//
// If the request for a decision has an Authorization header, as in apps with bearer tokens,
// the links carry a sealed ticket for the user and the study, because requests for the
// links have no such header. So do not mount the endpoints behind a check for tokens. A
// ticket expires after an hour: start then treats the user as signed out and the others
// answer with status 403, until the app requests the next decision.
package middleware
