/*
 * The types of askonce.js, a client for apps that render the prompt themselves. With a bundler, save both files beside each other in the app,
 * again with each new version of askonce, and pass the path of the endpoints, which a development server has to proxy:
 *
 *   import { createAskonce } from "./askonce.js";
 *   const askonce = createAskonce("/askonce/");
 */

/** The answer of the decision endpoint. `ask` tells the two apart. */
export type Decision = Invitation | Refusal;

export interface Refusal {
  ask: false;
  /** Why, as one of the values of gate.Reason. */
  reason: string;
  /** Of the study that was passed to `decide`, if the user is signed in. */
  links?: Pick<Links, "start">;
}

/** Everything that it takes to render the prompt. */
export interface Invitation {
  ask: true;
  reason: "eligible";
  study: string;
  /** The user saw this prompt on an earlier page a moment ago: `shown` does not report it again. */
  seen?: true;
  /** The BCP 47 tag of the texts. */
  language: string;
  direction: "ltr" | "rtl" | "auto";
  texts: Texts;
  links: Links;
}

export interface Texts {
  kind: string;
  title: string;
  text: string;
  facts: string[];
  start: string;
  /** What `start` does, for screen readers. */
  newTab: string;
  later: string;
  decline: string;
  thanks: string;
  undo: string;
  never: string;
  optedOut: string;
}

export interface Links {
  /** For a link with target="_blank" and rel="noopener". It also suits a menu item: if the interview is not available, it opens a page that says why. The client posts to the others. */
  start: string;
  shown: string;
  later: string;
  decline: string;
  undo: string;
  optOut: string;
}

export interface Askonce {
  /**
   * Fetches the decision. It has no side effect, so it may be called as often as a library likes. Call it when the user signs in or out,
   * when the app's view changes, at most once a minute, and when the tab becomes visible again, as it does after the interview; the answers
   * themselves need no refetch. A decision that is fetched before the promise of an answer has settled may not know of it.
   * An app with bearer tokens passes `headers: { Authorization: "Bearer …" }`. The links of the decision then work without, for an hour.
   */
  decide(options?: { study?: string | undefined; signal?: AbortSignal | undefined; headers?: Record<string, string> | undefined }): Promise<Decision>;
  /** Reports once per invitation that the prompt has been seen. `observe` does it at the right time. */
  shown(invitation: Invitation): Promise<boolean>;
  /** Call it when the user follows links.start. It only dispatches the event. */
  started(invitation: Invitation): void;
  /** Records the answer, like those below. The promise never rejects: false means that nothing was recorded, and the console says why. */
  later(invitation: Invitation): Promise<boolean>;
  decline(invitation: Invitation): Promise<boolean>;
  undo(invitation: Invitation): Promise<boolean>;
  /** Stops all invitations to this user, for good. */
  optOut(invitation: Invitation): Promise<boolean>;
  /** Reports `shown` when half of the element has been visible for a second. Returns a function that stops watching, as React effects do. */
  observe(element: Element, invitation: Invitation): () => void;
}

/** `base` is the URL path of the middleware's endpoints, on the page's own origin: they record nothing from another one. It defaults to the folder that this script was loaded from. */
export function createAskonce(base?: string): Askonce;

declare global {
  interface DocumentEventMap {
    "askonce:shown": CustomEvent<{ study: string }>;
    "askonce:started": CustomEvent<{ study: string }>;
    "askonce:later": CustomEvent<{ study: string }>;
    "askonce:declined": CustomEvent<{ study: string }>;
    "askonce:undone": CustomEvent<{ study: string }>;
    "askonce:optedout": CustomEvent<{ study: string }>;
  }
}
