import type { LatchkeyError } from "@latchkey/mls";
import { CLIENT_LIMITS } from "../limits.ts";
import type { LinkRole } from "./code.ts";
import { laterBox, type BoxKeys, type LinkDirection } from "./key-schedule.ts";
import { linkSuite, type LinkContext } from "./link-context.ts";
import { endedByOther, notAsAgreed, reasonOf } from "./link-errors.ts";
import type { BoxWait } from "./mailbox.ts";
import { decodeLinkMessage, encodeLinkMessage, type LinkMessage } from "./messages.ts";
import type { OpenedLink } from "./opening.ts";

/** Messages between the two devices once both have the shared secret: one box each, in order. */
export class LinkChannel {
  readonly #context: LinkContext;
  readonly #link: OpenedLink;
  readonly #own: LinkDirection;
  readonly #other: LinkDirection;
  #sent = 0;
  #received = 0;
  #isEnded = false;

  constructor(context: LinkContext, link: OpenedLink, role: LinkRole) {
    this.#context = context;
    this.#link = link;
    [this.#own, this.#other] = role === "old" ? ["from-old", "from-new"] : ["from-new", "from-old"];
  }

  /** Sends a message; throws as `LinkMailbox.put`. */
  async send(message: LinkMessage, wait: BoxWait): Promise<void> {
    await this.sendBytes(encodeLinkMessage(message), wait);
  }

  async sendBytes(bytes: Uint8Array, wait: BoxWait): Promise<void> {
    const box = this.#box(this.#own, this.#sent++);
    await this.#link.mailbox.put(box, bytes, wait, CLIENT_LIMITS.linkMessageBytes);
  }

  /** Waits for the next message, of that kind. Throws LINK_FAILED for another one; what `ended` says; as `LinkMailbox.take`. */
  async receive<K extends LinkMessage["kind"]>(
    kind: K,
    wait: BoxWait,
    guarded: OpenedLink["guarded"] = [],
  ): Promise<LinkMessage & { readonly kind: K }> {
    return this.#read(kind, await this.receiveBytes(wait, guarded));
  }

  async receiveBytes(wait: BoxWait, guarded: OpenedLink["guarded"] = []): Promise<Uint8Array> {
    const { plaintext } = await this.#link.mailbox.take(this.#box(this.#other, this.#received), wait, guarded);
    this.#received++;
    return plaintext;
  }

  /** What the other device has ended the link with; undefined while it did not. Throws as `LinkMailbox.peek`. */
  async peekEnd(signal: AbortSignal): Promise<LatchkeyError | undefined> {
    const found = await this.#link.mailbox.peek(this.#box(this.#other, this.#received), signal);
    const message = found === undefined ? undefined : decodeLinkMessage(found.plaintext);
    if (message?.kind !== "ended") return undefined;
    this.#isEnded = true;
    return endedByOther(message.reason);
  }

  /** Tells the other device that the link has ended, as far as it can be told; it finds out by itself otherwise. */
  async end(error: unknown): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const { clock, time } = this.#context;
    const signal = clock.timeout(CLIENT_LIMITS.linkFarewellMs);
    const wait = { deadlineNs: time.bestNs(), signal };
    await this.send({ kind: "ended", reason: reasonOf(error) }, wait).catch(() => undefined);
  }

  #box(direction: LinkDirection, counter: number): BoxKeys {
    return laterBox(linkSuite(this.#context), this.#link.shared, direction, counter);
  }

  #read<K extends LinkMessage["kind"]>(kind: K, bytes: Uint8Array): LinkMessage & { readonly kind: K } {
    const message = decodeLinkMessage(bytes);
    if (message.kind === "ended") {
      this.#isEnded = true;
      throw endedByOther(message.reason);
    }
    if (message.kind !== kind) throw notAsAgreed();
    return message as LinkMessage & { readonly kind: K };
  }
}
