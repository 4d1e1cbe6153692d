import { asError } from "../clock.ts";
import type { Installation } from "../group/own-installations.ts";
import type { Cancellation } from "../group/queue.ts";
import type { InviteChanges, InviteOptions, RotateOptions } from "../invite/issue.ts";
import type { JoinProgress } from "../join/progress.ts";
import type { InvitePreview } from "../join/preview.ts";
import type { PendingJoin } from "../join/resume.ts";
import { walledWith, type CallOptions } from "../public-calls.ts";
import type { QueuedMessage } from "../store/queued-message.ts";
import { requireWebClientOptions } from "./arguments.ts";
import type { WebClientOptions } from "./options.ts";
import { PagePort, type PortCall } from "./page-port.ts";
import type { ClientEvent, ClientState, OpenOptions } from "./protocol.ts";
import type { GroupView, InviteJoin, InviteView, Member, MessageView, SelfView } from "./views.ts";
import { fromWire } from "./wire-errors.ts";

/** Options of calls that have an effect. */
export interface NamedCallOptions extends CallOptions {
  /** The caller's name for this one call; the same name is the same call, also after a reload or a crash. */
  readonly idempotencyKey?: string;
}

/** Options of a join. */
export interface WebJoinOptions extends NamedCallOptions {
  readonly onProgress?: (progress: JoinProgress) => void;
}

function portCall({ idempotencyKey, signal }: NamedCallOptions): PortCall {
  return { id: idempotencyKey, signal };
}

/** A group as this page reaches it. Every call throws the codes of `docs/errors.md`. */
export class WebGroup {
  /** In hex. */
  readonly id: string;
  readonly #port: PagePort;

  constructor(port: PagePort, id: string) {
    this.#port = port;
    this.id = id;
  }

  /** What the group is like now; undefined once it was forgotten. */
  view(): Promise<GroupView | undefined> {
    return this.#call("get", []) as Promise<GroupView | undefined>;
  }

  /** The newest messages, oldest first; 200 unless told otherwise. */
  messages(options: { readonly limit?: number } = {}): Promise<MessageView[]> {
    return this.#call("messages", [options.limit]) as Promise<MessageView[]>;
  }

  members(): Promise<Member[]> {
    return this.#call("members", []) as Promise<Member[]>;
  }

  /** Who came by an invite, oldest first. */
  joins(): Promise<InviteJoin[]> {
    return this.#call("joins", []) as Promise<InviteJoin[]>;
  }

  /** Own messages that wait or failed. */
  queue(): Promise<QueuedMessage[]> {
    return this.#call("queue", []) as Promise<QueuedMessage[]>;
  }

  cancel(messageId: string): Promise<Cancellation> {
    return this.#call("cancel", [messageId]) as Promise<Cancellation>;
  }

  /** Sends a text; with `replyTo` as the answer to that message. */
  send(text: string, options: NamedCallOptions & { readonly replyTo?: string } = {}): Promise<MessageView> {
    const { replyTo } = options;
    const sent =
      replyTo === undefined
        ? this.#call("send", [text], portCall(options))
        : this.#call("reply", [text, replyTo], portCall(options));
    return sent as Promise<MessageView>;
  }

  updateName(name: string): Promise<void> {
    return this.#call("updateName", [name]) as Promise<void>;
  }

  /** Removes a member and gives the invite a fresh slot. */
  removeMember(inboxId: string): Promise<void> {
    return this.#call("removeMember", [inboxId]) as Promise<void>;
  }

  /** Asks to be taken out. */
  leave(): Promise<void> {
    return this.#call("leave", []) as Promise<void>;
  }

  /** Deletes the group on this device. */
  forget(): Promise<void> {
    return this.#call("forget", []) as Promise<void>;
  }

  /** The invite in force. */
  invite(): Promise<InviteView | undefined> {
    return this.#call("invite", []) as Promise<InviteView | undefined>;
  }

  createInvite(options: Pick<InviteOptions, "expiresAtNs" | "maxUses" | "force"> = {}): Promise<InviteView> {
    return this.#call("createInvite", [options]) as Promise<InviteView>;
  }

  changeInvite(changes: InviteChanges): Promise<InviteView> {
    return this.#call("changeInvite", [changes]) as Promise<InviteView>;
  }

  /** A fresh key, and with `slot` a fresh slot: earlier links stop working. */
  rotateInvite(options: Pick<RotateOptions, "slot"> = {}): Promise<InviteView> {
    return this.#call("rotateInvite", [options]) as Promise<InviteView>;
  }

  revokeInvite(): Promise<void> {
    return this.#call("revokeInvite", []) as Promise<void>;
  }

  #call(method: string, args: readonly unknown[], options: PortCall = {}): Promise<unknown> {
    return this.#port.call(method, [this.id, ...args], options);
  }
}

/** The groups of this browser's installation. */
export class WebConversations {
  readonly #port: PagePort;

  constructor(port: PagePort) {
    this.#port = port;
  }

  list(): Promise<GroupView[]> {
    return this.#port.call("list", []) as Promise<GroupView[]>;
  }

  /** The group of an id in hex; whether it is there, its `view` says. */
  get(id: string): WebGroup {
    return new WebGroup(this.#port, id);
  }

  async createGroup(name: string, options: NamedCallOptions = {}): Promise<WebGroup> {
    return this.#group(this.#port.call("createGroup", [name], portCall(options)));
  }

  /** Joins by a link or a text with one. */
  async joinByInvite(invite: string, options: WebJoinOptions = {}): Promise<WebGroup> {
    const { onProgress } = options;
    const told = onProgress === undefined ? undefined : (value: unknown) => onProgress(value as JoinProgress);
    return this.#group(this.#port.call("join", [invite], { ...portCall(options), onProgress: told }));
  }

  previewInvite(invite: string, options: CallOptions = {}): Promise<InvitePreview> {
    return this.#port.call("preview", [invite], portCall(options)) as Promise<InvitePreview>;
  }

  /** Joins that no member has confirmed yet. */
  listPendingJoins(): Promise<PendingJoin[]> {
    return this.#port.call("pendingJoins", []) as Promise<PendingJoin[]>;
  }

  /** Reads everything that is new. */
  async sync(options: CallOptions = {}): Promise<void> {
    await this.#port.call("sync", [], portCall(options));
  }

  async #group(view: Promise<unknown>): Promise<WebGroup> {
    const { id } = (await view) as GroupView;
    return new WebGroup(this.#port, id);
  }
}

/**
 * The client of a page: everything happens in a worker, in this tab or in another one of the origin. Calls that were
 * under way when that tab closed are served by the next one, under the same name.
 */
export class WebClient {
  readonly conversations: WebConversations;
  readonly inboxId: string;
  readonly installationId: string;
  readonly #port: PagePort;
  readonly #listeners: Set<(event: ClientEvent) => void>;

  constructor(port: PagePort, self: SelfView, listeners: Set<(event: ClientEvent) => void>) {
    this.conversations = new WebConversations(port);
    this.inboxId = self.inboxId;
    this.installationId = self.installationId;
    this.#port = port;
    this.#listeners = listeners;
  }

  /** The installations of this person: devices and browsers. */
  installations(options: CallOptions = {}): Promise<Installation[]> {
    return this.#port.call("installations", [], portCall(options)) as Promise<Installation[]>;
  }

  /** Calls `listener` when something changed, whatever tab did it; returns what ends that. */
  onEvent(listener: (event: ClientEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Opens the database again after the state `failed`. */
  retry(): void {
    this.#port.retry("existing");
  }

  /** Closes this tab's part; the next tab that waits leads. */
  close(): void {
    this.#port.close();
  }
}

/**
 * Opens the client of a page.
 *
 * @throws ARGUMENT_INVALID, IDENTITY_MISSING, IDENTITY_FORGOTTEN, CLOCK_WRONG, NODE_UNREACHABLE, NODE_REJECTED, and the
 * codes that begin with STORE_.
 * @example
 * const worker = () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
 * const client = await createWebClient({ nodeUrl: "https://node.example", worker });
 * const group = await client.conversations.joinByInvite(location.href);
 * await group.send("hello");
 */
export function createWebClient(options: WebClientOptions): Promise<WebClient> {
  return walledWith(requireWebClientOptions, options, async (checked) => {
    const { nodeUrl, name = "latchkey", identity = "guest", inviteServiceUrl = nodeUrl, inviteBaseUrl } = checked;
    const listeners = new Set<(event: ClientEvent) => void>();
    const opened = Promise.withResolvers<undefined>();
    const onState = (state: ClientState) => {
      checked.onState?.(state);
      if (state.kind === "ready") opened.resolve(undefined);
      if (state.kind === "failed") opened.reject(fromWire(state.error));
    };
    const port = new PagePort(checked.worker(), onState, (event) => listeners.forEach((listener) => listener(event)));
    port.open({
      name,
      nodeUrl,
      inviteServiceUrl,
      identity,
      handheld: globalThis.matchMedia("(pointer: coarse)").matches,
      visible: document.visibilityState === "visible",
      ...(inviteBaseUrl === undefined ? {} : { inviteBaseUrl }),
    } satisfies OpenOptions);
    const stop = () => opened.reject(asError(checked.signal?.reason));
    checked.signal?.addEventListener("abort", stop, { once: true });
    if (checked.signal?.aborted === true) stop();
    try {
      await opened.promise;
      return new WebClient(port, (await port.call("self", [])) as SelfView, listeners);
    } catch (error) {
      port.close();
      throw error;
    } finally {
      checked.signal?.removeEventListener("abort", stop);
    }
  });
}
