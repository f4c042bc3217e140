// The prompt works without this. With it: it leaves no page, it is in the right place once, and tabs agree.
// A library that swaps pages runs this again for each: then only what has come in is looked after.
(() => {
  const key = Symbol.for("askonce");
  if (self[key]) return self[key]();
  const base = new URL(".", document.currentScript.src).href;
  const gone = new Set(); // studies that are answered, in this tab or another
  let channel, announced, before, sending;

  const close = (aside) => {
    const focused = aside.contains(document.activeElement);
    aside.remove();
    if (!focused) return;
    const to = before?.isConnected ? before : document.querySelector("main,[role=main]") || document.querySelector("h1") || document.body;
    to.focus({ preventScroll: true });
    if (document.activeElement === to) return;
    to.tabIndex = -1;
    to.focus({ preventScroll: true });
    to.addEventListener("blur", () => to.removeAttribute("tabindex"), { once: true });
  };
  const asides = () => [...document.querySelectorAll("aside.askonce")];
  const drop = (study, tell) => {
    gone.add(study);
    asides().forEach((a) => a.dataset.study === study && close(a));
    if (tell) channel?.postMessage(study);
  };
  const listen = () => {
    try {
      channel = new BroadcastChannel("askonce");
      channel.onmessage = (e) => drop(e.data);
    } catch {} // an opaque origin has none
  };

  const send = (to) => {
    sending = to;
    fetch(to, { method: "POST", keepalive: true })
      .then((r) => r.ok || Promise.reject(r.status))
      .catch((e) => console.warn("askonce: the answer was not kept", e));
  };
  // Where the page's policy forbids the request, a form takes the answer, as it does without script.
  document.addEventListener("securitypolicyviolation", (e) => {
    if (!sending || e.effectiveDirective !== "connect-src" || e.disposition !== "enforce" || !e.blockedURI.startsWith(base)) return;
    const form = document.createElement("form");
    form.method = "post";
    form.action = sending;
    sending = "";
    document.body.append(form);
    form.submit();
  });

  const adopt = (aside) => {
    const study = aside.dataset.study;
    aside[key] = true;
    const click = (e) => {
      const hit = e.target.closest("a,button");
      if (hit?.matches("a[target]")) setTimeout(drop, 0, study, true); // once the browser has followed it
      const to = hit?.hasAttribute("formaction") ? hit.formAction : hit?.form?.action || "";
      if (e.button || !to.startsWith(base)) return;
      e.preventDefault();
      send(to);
      drop(study, true);
    };
    aside.addEventListener("click", click);
    aside.addEventListener("auxclick", (e) => e.button === 1 && click(e));
    aside.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" || e.isComposing) return;
      e.stopPropagation();
      drop(study, true);
    });
    aside.addEventListener("focusin", (e) => {
      if (!aside.contains(e.relatedTarget)) before = e.relatedTarget;
    });
    const status = aside.querySelector("[role=status]");
    if (announced || !status) return;
    announced = true;
    setTimeout(() => (status.textContent = aside.ariaLabel), 500);
    setTimeout(() => (status.textContent = ""), 5000);
  };

  const mount = (self[key] = () => {
    const all = asides();
    const one = all.pop();
    all.forEach((a) => a.remove());
    if (!one) return;
    if (gone.has(one.dataset.study)) return one.remove();
    const here = document.querySelector("[data-askonce-here]");
    if (here) one.setAttribute("role", "region"); // within a landmark it is no complement of the page
    if (one.parentElement !== (here || document.body)) (here || document.body).append(one);
    if (!one[key]) adopt(one);
  });

  // A page that comes back from a cache may show what has been answered meanwhile.
  addEventListener("pagehide", () => channel?.close());
  addEventListener("pageshow", (e) => {
    if (e.persisted) listen();
    else if (performance.getEntriesByType("navigation")[0]?.type !== "back_forward") return;
    asides().forEach((a) =>
      fetch(base + "decision?peek&study=" + encodeURIComponent(a.dataset.study))
        .then((r) => r.json())
        .then((d) => /declined|snoozed|opened|completed|closed|full/.test(d.reason) && drop(a.dataset.study))
        .catch(() => {}),
    );
  });
  listen();
  mount();
})();
