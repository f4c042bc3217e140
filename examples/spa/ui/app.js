import { createAskonce } from "/askonce/askonce.js";

const main = document.querySelector("main");
const header = document.querySelector("header");

// el makes an element; what it is given as text never becomes markup.
const el = (name, props = {}, ...children) => {
  const e = Object.assign(document.createElement(name), props);
  e.append(...children);
  return e;
};
const button = (text, onclick) => el("button", { type: "button", onclick }, text);
const json = async (url) => {
  const r = await fetch(url, { headers: { Accept: "application/json" } });
  if (!r.ok) throw new Error(`${url}: ${r.status}`);
  return r.json();
};

const askonce = createAskonce();
let prompt; // one is enough until the app is loaded again

// ask shows the prompt if this user is to be asked. A decision has no side effect, so every view asks for one; what counts is that the
// prompt was seen, which observe reports.
async function ask() {
  if (prompt) return;
  const d = await askonce.decide().catch(() => ({ ask: false })); // without an answer there is no prompt
  if (!d.ask || prompt) return;
  const { texts } = d;
  prompt = el("aside", { className: "prompt", ariaLabel: texts.title, lang: d.language, dir: d.direction });
  const close = () => {
    stop();
    prompt.remove();
  };
  const swap = (content) => {
    prompt.replaceChildren(...content);
    prompt.querySelector("a, button")?.focus(); // which was on what is gone
  };
  // Thanks only for what the app has recorded.
  const answer = (send, content) => async () => {
    const again = answer(send, content);
    const failure = () => [el("p", { role: "status" }, texts.notRecorded), el("div", { className: "actions" }, button(texts.tryAgain, again))];
    swap((await send(d)) ? content() : failure());
  };
  const invitation = () => {
    const start = el("a", { className: "go", href: d.links.start, target: "_blank", rel: "noopener" }, texts.start);
    start.addEventListener("click", () => {
      askonce.started(d);
      setTimeout(close); // once the browser has followed it
    });
    const later = () => {
      askonce.later(d);
      close();
    };
    return [
      Object.assign(button("\u00d7", later), { className: "close", ariaLabel: texts.later, title: texts.later }),
      el("h2", {}, texts.title),
      el("p", {}, texts.text),
      el("p", { className: "soft" }, texts.facts.join(" \u00b7 ")),
      el("div", { className: "actions" }, start, button(texts.decline, answer(askonce.decline, farewell))),
    ];
  };
  const farewell = () => {
    const undo = answer(askonce.undo, invitation), never = answer(askonce.optOut, goodbye);
    return [el("p", { role: "status" }, texts.thanks), el("div", { className: "actions" }, button(texts.undo, undo), button(texts.never, never))];
  };
  const goodbye = () => {
    setTimeout(close, 8000);
    return [el("p", { role: "status" }, texts.optedOut)];
  };
  prompt.append(...invitation());
  document.body.append(prompt);
  const stop = askonce.observe(prompt, d);
}

// The views of the app, by path.
const notes = ["Ask users early", "Ask users often", "Ask each user once"];
const views = {
  "/": () => [
    el("h1", {}, `Hello, ${me.user}`),
    el("ul", {}, ...notes.map((text, i) => el("li", {}, el("a", { href: `/notes/${i + 1}` }, text)))),
    el("p", { className: "soft" }, "Each note is a view of this single-page app. If you are to be asked for an interview, the prompt is in the corner below, and stays there from view to view until you answer it."),
  ],
  "/interviews": interviews,
};
notes.forEach((text, i) => (views[`/notes/${i + 1}`] = () => [el("h1", {}, text), el("p", {}, el("a", { href: "/" }, "All notes"))]));

async function show() {
  const view = views[location.pathname] ?? views["/"];
  main.replaceChildren(...(await view()));
  await ask();
}

// go follows links within the app.
function go(e) {
  const link = e.target.closest("a");
  if (!link || link.target || link.origin !== location.origin || e.button || e.metaKey || e.ctrlKey || e.shiftKey) return;
  e.preventDefault();
  history.pushState(null, "", link.href);
  show();
}

async function interviews() {
  const all = (await json("/api/interviews")) ?? [];
  return [
    el("h1", {}, "Interviews of the last 30 days"),
    ...all.map((i) =>
      el(
        "section",
        {},
        el("h2", {}, i.UserID || "nobody"),
        el("p", { className: "soft" }, `${new Date(i.CompletedAt).toLocaleString()}, ${i.Quality || "not scored"}`),
        i.Turns
          ? el("table", {}, ...i.Turns.map((t) => el("tr", {}, el("th", { scope: "row" }, t.Role), el("td", {}, t.Text))))
          : el("p", { className: "soft" }, "The transcript is still to be fetched."),
      ),
    ),
    all.length ? "" : el("p", { className: "soft" }, "None yet."),
  ];
}

const post = async (url, form) => {
  await fetch(url, { method: "POST", body: new URLSearchParams(form) });
  location.reload();
};

function login() {
  const form = el("form", {}, el("label", {}, "Your name ", el("input", { name: "user", required: true, maxLength: 64, autocomplete: "username" })), " ", el("button", {}, "Log in"));
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    post("/login", new FormData(form));
  });
  main.replaceChildren(el("h1", {}, "Log in"), form, el("p", { className: "soft" }, "Any name will do. Nobody who is not logged in is asked for an interview."));
}

const me = await json("/api/me");
if (me.user) {
  header.append(el("a", { href: "/" }, "Notes"));
  if (me.admin) header.append(el("a", { href: "/interviews" }, "Interviews"));
  header.append(el("span", { className: "soft" }, me.user), button("Log out", () => post("/logout")));
  document.addEventListener("click", go);
  addEventListener("popstate", show);
  await show();
} else {
  login();
}
