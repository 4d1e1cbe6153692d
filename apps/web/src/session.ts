import type { ClientState, Connection, WebClient } from "@latchkey/client/web";
import { useEffect, useState } from "preact/hooks";
import { startWorker } from "./worker-addresses.ts";

/** What the page knows of its client. */
export interface Session {
  /**
   * `looking`: whether this browser has an identity is not known yet. `none`: it has none. `forgotten`: it had one, and
   * its storage was deleted. `failed`: what it has cannot be opened.
   */
  readonly kind: "looking" | "none" | "forgotten" | "open" | "failed";
  readonly client?: WebClient;
  /** Code of the error that keeps the client from opening. */
  readonly code?: string;
  readonly message?: string;
  readonly state?: ClientState;
  readonly connection: Connection;
}

let session: Session = { kind: "looking", connection: "connecting" };
const listeners = new Set<() => void>();
const changes = new Set<(groups: readonly string[]) => void>();

function update(next: Partial<Session>): void {
  session = { ...session, ...next };
  for (const listener of listeners) listener();
}

/** The session, as it changes. */
export function useSession(): Session {
  const [seen, setSeen] = useState(session);
  useEffect(() => {
    const look = () => setSeen(session);
    listeners.add(look);
    look();
    return () => void listeners.delete(look);
  }, []);
  return seen;
}

/** Calls `listener` with the ids of groups that changed. */
export function onChange(listener: (groups: readonly string[]) => void): () => void {
  changes.add(listener);
  return () => void changes.delete(listener);
}

/** The node of this page: the one that its server states, else its own origin. */
async function nodeUrl(): Promise<string> {
  try {
    const answer = await fetch("/.well-known/latchkey", { redirect: "error", credentials: "omit" });
    const { node } = (await answer.json()) as { readonly node?: unknown };
    return typeof node === "string" ? node : location.origin;
  } catch {
    return location.origin;
  }
}

/** Whether the server remembers that this browser had an identity; a static folder cannot. */
async function wasKnown(): Promise<boolean> {
  try {
    const answer = await fetch("/v1/page/known", { redirect: "error" });
    return answer.ok && ((await answer.json()) as { readonly known?: unknown }).known === true;
  } catch {
    return false;
  }
}

async function open(identity: "existing" | "guest"): Promise<WebClient> {
  const { createWebClient } = await import("@latchkey/client/web");
  const client = await createWebClient({
    nodeUrl: await nodeUrl(),
    identity,
    inviteServiceUrl: location.origin,
    worker: () => startWorker("client"),
    onState: (state) => update({ state }),
  });
  client.onEvent((event) => {
    if (event.kind === "connection") update({ connection: event.connection });
    else for (const listener of changes) listener(event.groups);
  });
  update({ kind: "open", client });
  void fetch("/v1/page/known", { method: "POST", redirect: "error" }).catch(() => undefined);
  return client;
}

function failed(error: unknown): void {
  const { code = "DEFECT", message = String(error) } = error as { readonly code?: string; readonly message?: string };
  update({ kind: code === "IDENTITY_FORGOTTEN" ? "forgotten" : "failed", code, message });
}

let opening: Promise<void> | undefined;

/** Opens what this browser has; never makes an identity. */
export function openExisting(): Promise<void> {
  opening = openWhatIsThere();
  return opening;
}

async function openWhatIsThere(): Promise<void> {
  update({ kind: "looking" });
  try {
    await open("existing");
  } catch (error) {
    if ((error as { readonly code?: string }).code !== "IDENTITY_MISSING") failed(error);
    else update({ kind: (await wasKnown()) ? "forgotten" : "none" });
  }
}

/** The client of this browser; an identity is made where there is none. Throws what opening throws. */
export async function requireClient(): Promise<WebClient> {
  await opening;
  return session.client ?? open("guest");
}

/** Goes on with a fresh identity after the old one was lost. */
export function beginAnew(): void {
  update({ kind: "none" });
}
