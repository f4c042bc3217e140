// A client for apps that render the prompt themselves. Its types and documentation are in askonce.d.ts beside it.
export function createAskonce(base = new URL(".", import.meta.url).href) {
  const seen = new Set();
  const tell = (name, study, url) => {
    document.dispatchEvent(new CustomEvent("askonce:" + name, { detail: { study } }));
    return url && fetch(url, { method: "POST", keepalive: true }).then((r) => r.ok, () => false);
  };
  return {
    decide: ({ study, signal, headers } = {}) =>
      fetch(base + "decision" + (study ? "?study=" + encodeURIComponent(study) : ""), { signal, headers: { Accept: "application/json", ...headers } })
        .then((r) => (r.ok ? r.json() : Promise.reject(new Error("askonce: status " + r.status)))),
    shown: (d) => (d.seen || seen.has(d.study) ? Promise.resolve(true) : seen.add(d.study) && tell("shown", d.study, d.links.shown)),
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
