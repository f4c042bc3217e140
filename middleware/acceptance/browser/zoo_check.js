// Looks at the prompt in a page of the zoo and returns its faults as an array of strings.
(async (want) => {
  const faults = [], fault = (...words) => faults.push(words.join(" ")), pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const aside = document.querySelector("aside.askonce"), root = aside?.shadowRoot, card = root?.querySelector(".card");
  if (!card) return ["no prompt"];
  if (want.style) root.append(Object.assign(document.createElement("style"), { textContent: want.style }));
  const waits = () => "waits" in aside.dataset;
  for (let i = 0; i < 60 && (aside.hidden || waits() !== want.waits || document.getAnimations().length); i++) await pause(50);
  await pause(150);
  if (want.mayWait && waits()) return [];
  if (want.waits) return waits() ? [] : ["it does not wait"];
  if (aside.hidden || waits()) return ["it is not shown"];

  const name = (e) => e.localName + (e.className ? "." + e.className : "");
  const box = (e) => e.getBoundingClientRect();
  const meets = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const visible = [...card.querySelectorAll("*")].filter((e) => e.getClientRects().length && !e.closest(".sr"));
  const own = box(aside);
  if (own.width < 200 || own.height < 60) fault("it is", own.width, "by", own.height);
  if (own.left < 0 || own.top < 0 || own.right > innerWidth + 1 || own.bottom > innerHeight + 1) fault("it leaves the window", JSON.stringify(own));
  if (card.scrollHeight > card.clientHeight + 1 && innerHeight >= 320) fault("it has a fold of its own", card.scrollHeight, card.clientHeight);

  const controls = visible.filter((e) => e.matches("a,button"));
  if (controls.length !== 3) fault(controls.length, "controls");
  for (const e of visible) {
    const b = box(e);
    if (e.localName !== "path" && (b.left < own.left - 1 || b.right > own.right + 1)) fault(name(e), "is wider than the card");
    if (e.matches("h2,p,li,a,button,span") && e.scrollWidth > e.clientWidth + 1 && e.clientWidth) fault(name(e), "is cut", e.scrollWidth, e.clientWidth);
  }
  for (const e of want.edges ? [card, ...controls] : []) {
    const s = getComputedStyle(e);
    if (s.borderTopStyle === "none" || s.borderTopColor === s.backgroundColor) fault(name(e), "has no edge");
  }
  for (const e of controls) {
    const b = box(e), range = document.createRange();
    if (b.width < (want.target || 24) || b.height < (want.target || 24)) fault(name(e), "is", b.width, "by", b.height);
    const text = [...e.childNodes].find((n) => n.nodeType === 3);
    if (text) {
      range.selectNodeContents(text);
      if (!want.mayWrap && new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1) fault(name(e), "wraps:", e.textContent);
    }
    if (document.elementFromPoint(b.left + b.width / 2, b.top + b.height / 2) !== aside) fault(name(e), "is covered");
    for (const other of controls) if (other !== e && meets(b, box(other))) fault(name(e), "meets", name(other));
    const title = root.querySelector("h2"), words = document.createRange();
    words.selectNodeContents(title);
    if ([...words.getClientRects()].some((r) => meets(b, r))) fault(name(e), "meets the title");
  }

  // What the page has fixed at an edge is neither covered nor covers.
  for (const e of document.querySelectorAll("body *")) {
    if (e === aside || aside.contains(e) || getComputedStyle(e).position !== "fixed") continue;
    const b = box(e);
    if (b.width * b.height > 0.9 * innerWidth * innerHeight || b.width * b.height < 4 || b.bottom < innerHeight / 2) continue;
    if (meets(own, b)) fault("it meets", e.outerHTML.slice(0, 60));
  }

  // Contrast, from the colours as computed.
  const rgb = (s) => { const n = s.match(/[\d.e-]+/g).map(Number); return s.startsWith("rgb") ? [...n.slice(0, 3).map((v) => v / 255), n[3] ?? 1] : [...n.slice(0, 3), n[3] ?? 1]; };
  const light = (c) => c.slice(0, 3).reduce((sum, v, i) => sum + [0.2126, 0.7152, 0.0722][i] * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4), 0);
  const numbers = (s) => rgb(s.startsWith("color(srgb") ? s.slice(11) : s);
  for (const e of visible.filter((e) => e.matches("h2,p,li,a,button,.from span"))) {
    const bg = (() => { for (let p = e; p; p = p.parentElement) { const c = numbers(getComputedStyle(p).backgroundColor); if (c[3] > 0.9) return c; } return [1, 1, 1]; })();
    const fg = numbers(getComputedStyle(e).color), [a, b] = [light(fg), light(bg)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) fault(name(e), "has a contrast of", ((a + 0.05) / (b + 0.05)).toFixed(2));
  }

  // Nothing of the page's style gets in: everything but colours and sizes is as in an empty page.
  const skip = /color|background|shadow|^--|width|height|size|origin|inset|^(top|left|right|bottom|fill|stroke)$|outline|border|font-family|font-smoothing|caret|rule|decoration|emphasis|animation|transform$|perspective/;
  const styles = [...card.querySelectorAll("*")].map((e) => { const s = getComputedStyle(e); return [name(e), [...s].filter((p) => !skip.test(p)).map((p) => p + ":" + s.getPropertyValue(p)).join(";")]; });
  if (want.reference) {
    styles.forEach(([n, s], i) => {
      const other = new Set(want.reference[i]?.[1].split(";"));
      if (s !== want.reference[i]?.[1]) fault(n, "differs:", s.split(";").filter((d) => !other.has(d)).slice(0, 3).join("; "));
    });
  }

  // Whatever gets the focus is not under the prompt.
  const scrolled = scrollY, all = [...document.querySelectorAll("a[href],button,input")].filter((e) => !aside.contains(e) && e.getClientRects().length);
  for (const e of all.slice(-3)) {
    e.focus();
    await pause(150);
    const b = box(e);
    if (!waits() && b.bottom > 0 && b.top < innerHeight && meets(b, box(aside)) && b.height < innerHeight / 2 && getComputedStyle(e).position !== "fixed") fault("it covers the focused", e.outerHTML.slice(0, 50));
  }
  document.activeElement.blur();
  scrollTo({ top: scrolled, behavior: "instant" });
  await pause(100);

  // The page can be scrolled so that its last line is clear of it.
  if (getComputedStyle(document.body).overflowY !== "hidden" && document.scrollingElement.scrollHeight > innerHeight + 2) {
    scrollTo({ top: 1e6, behavior: "instant" });
    await pause(200);
    const last = [...document.querySelectorAll("main button, main p, main td")].at(-1);
    if (last && !waits() && meets(box(last), box(aside))) fault("the end of the page stays under it");
    scrollTo({ top: 0, behavior: "instant" });
  }
  return want.styles ? styles : faults;
})
