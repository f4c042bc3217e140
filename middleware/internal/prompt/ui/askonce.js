// A client for apps that render the prompt themselves. askonce.d.ts beside it has its types and documentation.
// Bundlers would take new URL(".", import.meta.url) for an asset and rewrite it.
export function createAskonce(base = import.meta.url.replace(/[^/]*$/, "")) {
  const seen = new WeakSet(); // invitations and not studies, because another user may sign in without a new page
  const tell = (name, study, url) => {
    document.dispatchEvent(new CustomEvent("askonce:" + name, { detail: { study } }));
    // If the endpoints are not mounted, the app's catch-all route may answer with 200 and its own page.
    return url && fetch(url, { method: "POST", keepalive: true })
      .then((r) => r.status === 204 || Promise.reject(r.status))
      .catch((e) => !!console.warn("askonce: not recorded", e));
  };
  return {
    decide: ({ study, signal, headers } = {}) =>
      fetch(base + "decision" + (study ? "?study=" + encodeURIComponent(study) : ""), { signal, headers: { Accept: "application/json", ...headers } })
        .then((r) => (r.ok && /json/.test(r.headers.get("Content-Type")) ? r.json() : Promise.reject(new Error(`askonce: no decision at ${r.url}, status ${r.status}: are the endpoints mounted there?`)))),
    shown: (d) => (d.seen || seen.has(d) ? Promise.resolve(true) : seen.add(d) && tell("shown", d.study, d.links.shown)),
    started: (d) => tell("started", d.study),
    later: (d) => tell("later", d.study, d.links.later),
    decline: (d) => tell("declined", d.study, d.links.decline),
    undo: (d) => tell("undone", d.study, d.links.undo),
    optOut: (d) => tell("optedout", d.study, d.links.optOut),
    observe(element, d) {
      let timer;
      const watch = new IntersectionObserver(([e]) => {
        clearTimeout(timer);
        if (e.intersectionRatio >= 0.5) timer = setTimeout(() => document.visibilityState === "visible" && (watch.disconnect(), this.shown(d)), 1000);
      }, { threshold: [0, 0.5] });
      watch.observe(element);
      return () => (clearTimeout(timer), watch.disconnect());
    },
  };
}
