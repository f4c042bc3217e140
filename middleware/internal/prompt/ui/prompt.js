// Shows the prompt of a page once its style sheet is loaded, in its place, and never over what the reader is doing.
// A library that swaps pages runs this script again for each page. It then only adopts the new page's prompt.
(() => {
  const key = Symbol.for("askonce"), doc = document, root = doc.documentElement;
  if (self[key]) return self[key]();
  const gone = new Set(), seen = new Set(); // studies answered in any tab, and studies seen in this tab
  let channel, announced, before;

  const emit = (name, study) => doc.dispatchEvent(new CustomEvent("askonce:" + name, { detail: { study } }));
  const asides = () => [...doc.querySelectorAll("aside.askonce")];

  // Returns whether the app has recorded what was sent. The middleware cannot log what is refused outside it, so the console does.
  const send = (to) =>
    fetch(to, { method: "POST", keepalive: true })
      .then((r) => r.status === 204 || Promise.reject(r.status)) // the app's catch-all route may answer with 200
      .catch((e) => console.warn("askonce: not recorded", e));

  // Returns focus that was in the prompt to where it came from.
  const close = (aside) => {
    const focused = aside.contains(doc.activeElement);
    aside[key]?.();
    aside.remove();
    if (!focused) return;
    const to = before?.isConnected ? before : doc.querySelector("main,[role=main]") || doc.querySelector("h1") || doc.body;
    to.focus({ preventScroll: true });
    if (doc.activeElement === to) return;
    to.tabIndex = -1;
    to.focus({ preventScroll: true });
    to.addEventListener("blur", () => to.removeAttribute("tabindex"), { once: true });
  };
  // Closes the prompts of a study. The one that the user has just answered closes itself, and other tabs hear of it.
  const drop = (study, answered) => {
    gone.add(study);
    asides().forEach((a) => a.dataset.study === study && a !== answered && close(a));
    if (answered) channel?.postMessage(study);
  };
  const endpoint = (aside, name) => aside.shadowRoot.querySelector(".x").action.replace("later?", name);

  // Drops a prompt that the user has answered since, or that is no longer due. Reasons that say nothing about that keep it: eligible,
  // excluded, language, held_out, unavailable, paced. The time in the URL keeps a service worker from answering from its cache.
  const check = (aside) =>
    fetch(endpoint(aside, "decision?peek&") + "&" + Date.now())
      .then((r) => r.json())
      .then((d) => /^[ehlu]|paced/.test(d.reason) || drop(aside.dataset.study))
      .catch(() => {});
  const listen = () => {
    try {
      channel = new BroadcastChannel("askonce");
      channel.onmessage = (e) => drop(e.data);
    } catch {} // the browser blocks the site's storage
  };

  // Returns a colour as [red, green, blue, alpha] from 0 to 1. Whatever notation a page uses, color-mix converts it to this one.
  const colour = (probe, css) => {
    probe.style.color = "";
    probe.style.color = css;
    if (!probe.style.color) return;
    probe.style.color = `color-mix(in srgb,${css} 100%,#000 0%)`;
    return getComputedStyle(probe).color.match(/[\d.e-]+/g).map(Number).concat(1); // an alpha of 1 is left out
  };
  const light = (c) => c.slice(0, 3).reduce((sum, v, i) => sum + [0.2126, 0.7152, 0.0722][i] * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4), 0);
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const css = (c) => `rgb(${c.slice(0, 3).map((v) => Math.round(v * 255))})`;
  const INK = [0.086, 0.094, 0.114], WHITE = [1, 1, 1];
  const readable = (on) => [WHITE, INK].find((c) => contrast(c, on) >= 4.5) || [0, 0, 0];

  // The page's background is that of the uppermost element behind the prompt that fills the window. If it is dark, so is the prompt.
  const theme = (aside, cards) => {
    const probe = aside.shadowRoot.querySelector("[role=status]"), own = getComputedStyle(aside), r = aside.getBoundingClientRect();
    const set = (name) => colour(probe, own.getPropertyValue(name));
    let page;
    for (const e of [...doc.elementsFromPoint(r.x + r.width / 2, r.y + r.height / 2), doc.body, root]) {
      const b = e.getBoundingClientRect();
      if (e === aside || ((b.width < innerWidth * 0.9 || b.height < innerHeight * 0.9) && e !== doc.body && e !== root)) continue;
      const c = colour(probe, getComputedStyle(e).backgroundColor);
      if (c?.[3] > 0.5) { page = c; break; }
    }
    page ||= light(colour(probe, getComputedStyle(doc.body).color)) > 0.4 ? INK : WHITE;
    const b = set("--askonce-background") || (light(page) < 0.12 ? page.slice(0, 3).map((v) => v + (1 - v) * 0.07) : WHITE);
    const c = readable(b), a = set("--askonce-accent") || c;
    for (const card of cards)
      for (const [name, v] of Object.entries({ b: css(b), c: css(c), a: css(a), o: css(readable(a)), ...(contrast(c, b) < 9 && { m: css(c) }) })) card.style.setProperty("--" + name, v);
  };

  const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const modal = () => doc.fullscreenElement || [...doc.querySelectorAll("dialog[open],[aria-modal=true]")].some((e) => (e.ariaModal || e.matches(":modal")) && e.checkVisibility({ visibilityProperty: true }));

  // Moves the prompt away from what the page has fixed at its edge: cookie bars, chat bubbles, sidebars. Returns false, and the
  // prompt waits, if there is no room left or something covers the whole page.
  const avoid = (aside) => {
    const place = aside.dataset.position, top = place.startsWith("top");
    let lift = 0, shift = 0;
    for (let round = 0; round < 5; round++) {
      aside.style.setProperty("--lift", lift + "px");
      aside.style.setProperty("--shift", shift + "px");
      const r = aside.getBoundingClientRect(), found = new Set(), known = new Map();
      if (r.top < 0 || r.bottom > innerHeight + 1 || r.left < 0 || r.right > innerWidth + 1) return !lift && !shift;
      // The steps are smaller than a chat bubble.
      for (let y = r.top + 1; y < r.bottom + 39; y += 40)
        for (let x = r.left + 1; x < r.right + 39; x += 40)
          for (let e of doc.elementsFromPoint(Math.min(x, r.right - 1), Math.min(y, r.bottom - 1)))
            for (; e && e !== aside && e !== root && !known.has(e); e = e.parentElement || e.getRootNode().host) {
              const s = getComputedStyle(e);
              known.set(e, s);
              if (s.position === "fixed" || (top && s.position === "sticky")) found.add(e);
            }
      let moved = false;
      for (const e of found) {
        const b = e.getBoundingClientRect(), z = +known.get(e).zIndex || 0;
        if (b.width >= innerWidth * 0.9 && b.height >= innerHeight * 0.9) {
          if (z > 0 && !e.querySelector("main,h1")) return false;
        } else if (!meets(r, b)) {
          continue;
        } else if (b.height > innerHeight * 0.6) {
          if (b.width > innerWidth / 2) continue;
          const need = r.left + r.right > innerWidth ? innerWidth - b.left : b.right;
          if (need > shift && place !== "banner") { shift = need; moved = true; }
        } else {
          const need = top ? b.bottom : innerHeight - b.top;
          if (need < innerHeight * 0.6 && need > lift) { lift = need; moved = true; }
        }
      }
      if (!moved) return true;
    }
    return false;
  };

  // Adds room at the end of the page, so that its last lines can be scrolled clear of the prompt, if the page scrolls anyway or
  // the prompt would cover a control for good. The room keeps its height while it is in view, because a change would move the page.
  const makeRoom = (aside, room) => {
    if (/hidden|clip/.test(getComputedStyle(root).overflowY + getComputedStyle(doc.body).overflowY) || scrollY + innerHeight > room.end) return;
    const set = (top, height) => (room.style.cssText = `all:initial!important;position:absolute!important;visibility:hidden!important;inset:${top}px auto auto 0!important;width:1px!important;height:${height}px!important`);
    set(0, 0);
    const r = aside.getBoundingClientRect(), end = root.scrollHeight;
    if (end > innerHeight + 1 || [...doc.querySelectorAll("a,button,input,select,textarea")].some((e) => meets(e.getBoundingClientRect(), r))) {
      set(end - room.getBoundingClientRect().top - scrollY, innerHeight - r.top + 12);
      room.end = end;
    }
  };

  const adopt = (aside) => {
    const { study, position, delay } = aside.dataset, shadow = aside.shadowRoot, [base] = endpoint(aside, "later?").split("later?");
    const cards = [...shadow.querySelectorAll(".card")], [card, bye, done, failed] = cards;
    const inline = position === "here", room = doc.createElement("div"), stop = new AbortController(), on = { signal: stop.signal, passive: true };
    let timer, soon, every, ratio = 0, leaving;
    aside[key] = () => {
      delete aside[key];
      stop.abort();
      [timer, soon, every, leaving].forEach(clearTimeout);
      watch.disconnect();
      room.remove();
    };
    const leave = () => {
      for (const c of cards) c.classList.add("out");
      setTimeout(() => close(aside), 120);
    };
    const switchTo = (to) => {
      const had = shadow.activeElement;
      // A bar, and the page around it, must not jump.
      if (!position.includes("-")) to.style.minHeight = shadow.querySelector(".card:not(.off)").offsetHeight + "px";
      for (const c of cards) c.classList.toggle("off", c !== to);
      if (had) to.querySelector("a,button")?.focus({ preventScroll: true });
    };
    // What replaces the prompt stays while the pointer or the focus is on it.
    const linger = (ms) => {
      clearTimeout(leaving);
      leaving = setTimeout(() => (aside.matches(":hover") || shadow.activeElement ? linger(2000) : leave()), ms);
    };
    const status = shadow.querySelector("[role=status]");
    const say = (text) => (status.textContent = text);

    // Thanks the user only once the app has recorded the answer.
    const answer = async (to) => {
      const [name] = to.slice(base.length).split("?");
      emit({ decline: "declined", undo: "undone", optout: "optedout" }[name] || name, study);
      clearTimeout(leaving);
      if (name === "later") {
        send(to);
        drop(study, aside);
        return leave();
      }
      aside.ariaBusy = true;
      const next = (await send(to)) ? { decline: bye, undo: card, optout: done }[name] : failed;
      aside.ariaBusy = null;
      failed.querySelector("form").action = to;
      switchTo(next);
      if (next === card) return gone.delete(study);
      if (next !== failed) drop(study, aside);
      say(next.querySelector("p").textContent);
      linger(8000);
    };

    const click = (e) => {
      const hit = e.composedPath().find((n) => n.localName === "a" || n.localName === "button");
      if (!hit) return;
      if (hit.localName === "a") {
        if (!hit.target) return;
        emit("started", study);
        return setTimeout(() => { drop(study, aside); leave(); }); // once the browser has followed the link
      }
      const to = hit.hasAttribute("formaction") ? hit.formAction : hit.form?.action || "";
      if (e.button || !to.startsWith(base) || "forms" in aside.dataset) return; // the browser submits the form itself
      e.preventDefault();
      answer(to);
    };
    aside.addEventListener("click", click);
    aside.addEventListener("auxclick", (e) => e.button === 1 && click(e));
    aside.addEventListener("keydown", (e) => {
      if (e.key !== "Escape") return;
      e.stopPropagation();
      card.classList.contains("off") ? leave() : answer(endpoint(aside, "later?"));
    });
    aside.addEventListener("focusin", (e) => {
      if (!aside.contains(e.relatedTarget)) before = e.relatedTarget;
    });

    // Reports whether nothing covers the prompt. Only then does it count as seen.
    const uncovered = () => {
      const r = aside.getBoundingClientRect();
      return [[0.5, 0.5], [0.1, 0.1], [0.9, 0.9]].every(([x, y]) => doc.elementFromPoint(r.left + r.width * x, r.top + r.height * y) === aside);
    };
    const waits = () => "waits" in aside.dataset;
    const visible = () => ratio >= 0.5 && !waits() && !doc.hidden && uncovered() && !seen.has(study);
    const count = () => {
      if (!visible()) return (timer = clearTimeout(timer));
      timer ||= setTimeout(() => {
        timer = 0;
        if (!visible()) return;
        seen.add(study);
        "forms" in aside.dataset || "seen" in aside.dataset || send(endpoint(aside, "shown?"));
        emit("shown", study);
      }, 1000);
    };
    const watch = new IntersectionObserver((entries) => {
      ratio = entries.at(-1).intersectionRatio;
      count();
    }, { threshold: 0.5 });

    const look = () => {
      soon = 0;
      if (!aside.isConnected) return aside[key]?.(); // a library has swapped the page
      if (!inline) {
        const focus = doc.activeElement, f = focus?.getBoundingClientRect(), busy = aside.contains(focus);
        const wait = !busy && (modal() || !avoid(aside) || (focus && focus !== doc.body && f.height < innerHeight / 2 && meets(f, aside.getBoundingClientRect())));
        if (waits() && !wait) card.classList.add("in");
        aside.toggleAttribute("data-waits", !!wait);
        if (!wait && !position.startsWith("top")) makeRoom(aside, room);
      }
      count();
    };
    const again = (e) => (e.type === "focusin" ? look() : (soon ||= setTimeout(look, 60)));
    const paint = () => aside.isConnected && theme(aside, cards);
    // Nothing was transferred for a page from the browser's cache or from a service worker. It may be older than the user's answer.
    const start = async () => {
      if (!performance.getEntriesByType("navigation")[0]?.transferSize) await check(aside);
      if (stop.signal.aborted || !aside.isConnected || gone.has(study)) return;
      aside.hidden = false;
      if (inline) delete aside.dataset.waits;
      else doc.body.append(room);
      look();
      paint();
      watch.observe(aside);
      for (const name of ["focusin", "focusout", "click", "scroll", "transitionend"]) doc.addEventListener(name, again, { ...on, capture: true });
      for (const name of ["resize", "load"]) addEventListener(name, again, on);
      doc.addEventListener("load", paint, { ...on, capture: true }); // of late style sheets
      doc.addEventListener("visibilitychange", count, on);
      every = setInterval(look, 1000);
      const dark = new MutationObserver(() => setTimeout(paint));
      for (const e of [root, doc.body]) dark.observe(e, { attributes: true });
      stop.signal.onabort = () => dark.disconnect();
      matchMedia("(prefers-color-scheme:dark)").addEventListener("change", paint, on);
      if (!announced) {
        announced = true;
        setTimeout(() => say(aside.ariaLabel), 500);
        setTimeout(() => say(""), 5000);
      }
    };
    const go = () => (leaving = setTimeout(start, +delay || 0));
    // The prompt is hidden until its style sheet is loaded. A style sheet added by script delays nothing of the page.
    aside.dataset.waits = "";
    const style = shadow.querySelector("link").cloneNode();
    style.rel = "stylesheet";
    style.onload = () => (doc.prerendering ? doc.addEventListener("prerenderingchange", go, { once: true }) : go());
    shadow.append(style);
  };

  const mount = (self[key] = () => {
    const all = asides(), one = all.pop();
    all.forEach(close);
    if (!one) return;
    if (gone.has(one.dataset.study)) return close(one);
    const template = one.querySelector("template[shadowrootmode]");
    if (!one.shadowRoot && template) one.attachShadow({ mode: "open" }).append(template.content);
    template?.remove();
    if (!one.shadowRoot) return one.remove(); // a library has copied the page without its shadow roots
    const here = doc.querySelector("[data-askonce-here]"), parent = here || doc.body;
    if (here) {
      one.dataset.position = "here";
      one.setAttribute("role", "region"); // within another landmark it cannot be complementary
    }
    if (one.parentElement !== parent) parent.append(one);
    if (!one[key]) adopt(one);
  });

  addEventListener("pagehide", () => channel?.close());
  addEventListener("pageshow", (e) => {
    if (!e.persisted) return; // else it comes from the back-forward cache
    listen();
    asides().forEach(check);
  });
  listen();
  mount();
})();
