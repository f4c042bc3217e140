/*
 * The types of askonce.js, a client for apps that render the prompt themselves. Save this file in the app, and name it in tsconfig.json:
 *
 *   "paths": { "/askonce/askonce.js": ["./askonce.d.ts"] }
 *
 * A bundler has to leave the import "/askonce/askonce.js" alone, as an external module: the app's server has the version that fits.
 */

/** The answer of the decision endpoint. `ask` tells the two apart. */
export type Decision = Invitation | Refusal;

export interface Refusal {
  ask: false;
  /** Why, as one of the values of gate.Reason. */
  reason: string;
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
  /** For a link with target="_blank" and rel="noopener". The client posts to the others. */
  start: string;
  shown: string;
  later: string;
  decline: string;
  undo: string;
  optOut: string;
}

export interface Askonce {
  /**
   * Fetches the decision. It has no side effect, so it may be called as often as a library likes. Call it when the user signs in or out
   * and when the app's view changes, at most once a minute; the answers themselves need no refetch. A decision that is fetched before the
   * promise of an answer has settled may not know of it.
   * An app with bearer tokens passes `headers: { Authorization: "Bearer …" }`. The links of the decision then work without, for an hour.
   */
  decide(options?: { study?: string; signal?: AbortSignal; headers?: Record<string, string> }): Promise<Decision>;
  /** Reports once per page that the prompt has been seen. `observe` does it at the right time. */
  shown(invitation: Invitation): Promise<boolean>;
  /** Call it when the user follows links.start. It only dispatches the event. */
  started(invitation: Invitation): void;
  later(invitation: Invitation): Promise<boolean>;
  decline(invitation: Invitation): Promise<boolean>;
  undo(invitation: Invitation): Promise<boolean>;
  /** Stops all invitations to this user, for good. */
  optOut(invitation: Invitation): Promise<boolean>;
  /** Reports `shown` when half of the element has been visible for a second. Returns a function that stops watching, as React effects do. */
  observe(element: Element, invitation: Invitation): () => void;
}

/** `base` is the URL path of the middleware's endpoints. It defaults to the folder that this script was loaded from. */
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
