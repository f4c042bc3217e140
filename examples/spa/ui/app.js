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

// ask shows the prompt if this user is to be asked. That it answers "ask" counts
// as a showing, so it is asked once for each visit and not for each view.
async function ask() {
  const d = await json("/askonce/decision").catch(() => ({ ask: false })); // without an answer there is no prompt
  if (!d.ask) return;
  const dismiss = (url) => () => {
    fetch(url, { method: "POST", keepalive: true });
    aside.remove();
  };
  const start = el("a", { href: d.links.start, target: "_blank", rel: "noopener" }, d.texts.start);
  start.addEventListener("click", () => setTimeout(() => aside.remove())); // once the browser has followed it
  const aside = el(
    "aside",
    { className: "prompt", ariaLabel: d.texts.title, lang: d.language, dir: d.direction },
    el("h2", {}, d.texts.title),
    el("p", {}, d.texts.text),
    el("ul", {}, ...d.texts.facts.map((f) => el("li", {}, f))),
    el("div", { className: "actions" }, start, button(d.texts.later, dismiss(d.links.later)), button(d.texts.decline, dismiss(d.links.decline))),
  );
  document.body.append(aside);
}

async function interviews() {
  const all = (await json("/api/interviews")) ?? [];
  main.replaceChildren(
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
  );
}

function home(me) {
  main.replaceChildren(
    el("h1", {}, `Hello, ${me.user}`),
    el("p", {}, "This is a view of a single-page app. If you are to be asked for an interview, the prompt is in the corner below."),
    el("p", { className: "soft" }, "It is shown three times at most, a day apart: to see it again now, log in under another name."),
  );
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
  header.append(button("Home", () => home(me)));
  if (me.admin) header.append(button("Interviews", interviews));
  header.append(el("span", { className: "soft" }, me.user), button("Log out", () => post("/logout")));
  home(me);
  await ask();
} else {
  login();
}
