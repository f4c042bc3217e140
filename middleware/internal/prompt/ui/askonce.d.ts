/*
 * The types of askonce.js, a client for apps that render the prompt themselves. With a bundler, copy both files into one folder of the app,
 * again for each new version of askonce. Pass the path of the endpoints, and let the development server proxy it:
 *
 *   import { createAskonce } from "./askonce.js";
 *   const askonce = createAskonce("/askonce/");
 */

/** The answer of the decision endpoint, discriminated by `ask`. */
export type Decision = Invitation | Refusal;

export interface Refusal {
  ask: false;
  /** A gate.Reason. */
  reason: string;
  /** The link of the study that was passed to `decide`, if the user is signed in. */
  links?: Pick<Links, "start">;
}

/** Everything needed to render the prompt. */
export interface Invitation {
  ask: true;
  reason: "eligible";
  study: string;
  /** The user saw this prompt on another page a moment ago, so `shown` does not report it again. */
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
  /** Instead of thanks, if the promise of the answer was false. */
  notRecorded: string;
  tryAgain: string;
}

export interface Links {
  /** For a link with target="_blank" and rel="noopener". It also suits a menu item: if the interview is not available, it opens a page that says why. The client posts to the other links. */
  start: string;
  shown: string;
  later: string;
  decline: string;
  undo: string;
  optOut: string;
}

export interface Askonce {
  /**
   * Fetches the decision. It has no side effect, so a library may refetch it at will. Call it when the user signs in or out, when the app's
   * view changes, at most once a minute, and when the tab becomes visible again, as it does after the interview. An answer needs no refetch.
   * A decision that is fetched before the promise of an answer has settled may not include that answer.
   * An app with bearer tokens passes `headers: { Authorization: "Bearer …" }`. The links of the decision then work without it for an hour.
   */
  decide(options?: { study?: string | undefined; signal?: AbortSignal | undefined; headers?: Record<string, string> | undefined }): Promise<Decision>;
  /** Reports once per invitation that the user has seen the prompt. `observe` calls it at the right time. */
  shown(invitation: Invitation): Promise<boolean>;
  /** Dispatches the event. Call it when the user follows links.start. */
  started(invitation: Invitation): void;
  /** Records the answer, like the methods below. The promise never rejects: false means that nothing was recorded, and the console says why. */
  later(invitation: Invitation): Promise<boolean>;
  decline(invitation: Invitation): Promise<boolean>;
  undo(invitation: Invitation): Promise<boolean>;
  /** Stops all invitations to this user for good. */
  optOut(invitation: Invitation): Promise<boolean>;
  /** Calls `shown` once half of the element has been visible for a second. Returns a function that stops watching, as a React effect does. */
  observe(element: Element, invitation: Invitation): () => void;
}

/** `base` is the URL path of the middleware's endpoints. They must be on the page's own origin, because they record nothing from another. Defaults to the folder that this script was loaded from. */
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
