// Uses all of the client as an app would. It is compiled and not run.
import { createAskonce, type Askonce, type Decision, type Invitation } from "./askonce.js";

const askonce: Askonce = createAskonce("/askonce/");

export async function show(card: HTMLElement, signal?: AbortSignal): Promise<() => void> {
  const d: Decision = await askonce.decide({ study: "study-1", signal, headers: { Authorization: "Bearer token" } });
  if (!d.ask) {
    console.debug(d.reason, d.links?.start);
    // @ts-expect-error: a refusal has no texts
    return d.texts;
  }
  card.lang = d.language;
  card.dir = d.direction;
  card.textContent = [d.texts.title, ...d.texts.facts].join(", ");
  card.append(Object.assign(document.createElement("a"), { href: d.links.start, onclick: () => askonce.started(d) }));
  return askonce.observe(card, d);
}

export async function answer(d: Invitation): Promise<boolean> {
  return (await askonce.later(d)) && (await askonce.decline(d)) && (await askonce.undo(d)) && (await askonce.optOut(d)) && (await askonce.shown(d));
}

document.addEventListener("askonce:declined", (e) => console.debug(e.detail.study.toUpperCase()));
// @ts-expect-error: there is no such method
askonce.dismiss();
