import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { equalBytes, LatchkeyError, toHex, type CipherSuite } from "@latchkey/mls";
import { EncryptedGroupInfoBlobSchema } from "@latchkey/xmtp/proto";
import { isAborted } from "../clock.ts";
import { codeOf, isRetryable } from "../errors.ts";
import type { ReachableService } from "../invite/service.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Slot } from "../transport/slot-service.ts";
import { padded, unpadded, type BoxKeys } from "./key-schedule.ts";
import { linkSuite, type LinkContext } from "./link-context.ts";
import { disturbed, expired } from "./link-errors.ts";

const NONCE_BYTES = 12;

/** How long to wait for something, and what ends it. */
export interface BoxWait {
  /** By the node's clock. */
  readonly deadlineNs: bigint;
  readonly signal: AbortSignal;
}

/** A box and the one blob that it may hold. */
export interface FilledBox {
  readonly box: BoxKeys;
  readonly blob: Uint8Array;
}

/**
 * Boxes of one link: slots of an invite service that are written once. The service, and whoever has seen the code, can
 * write to a box or close it as well: any second blob, or one that does not open, is LINK_DISTURBED.
 */
export class LinkMailbox {
  readonly #context: LinkContext;
  readonly #service: ReachableService;
  readonly #suite: CipherSuite;
  /** By slot: what the service has shown last, so that it need not send it again. */
  readonly #seen = new Map<string, { readonly tag: string | undefined; readonly blobs: readonly Uint8Array[] }>();

  constructor(context: LinkContext, service: ReachableService) {
    this.#context = context;
    this.#service = service;
    this.#suite = linkSuite(context);
  }

  /** Fills a box and looks whether nobody else did; `least` bytes at least, a power of two. */
  async put(box: BoxKeys, plaintext: Uint8Array, wait: BoxWait, least: number): Promise<FilledBox> {
    const blob = this.#seal(box, padded(plaintext, least));
    const credentials = { current: box.credential, currentHash: this.#suite.hash(box.credential), earlier: [] };
    const slot = { ...this.#slotOf(box), credentials };
    await this.#untilDone(wait, () => this.#service.slots.upload(slot, blob, wait.signal));
    const filled = { box, blob };
    await this.requireUndisturbed([filled], wait);
    return filled;
  }

  /** Waits for what a box is filled with; meanwhile the `guarded` boxes have to stay as they are. */
  async take(
    box: BoxKeys,
    wait: BoxWait,
    guarded: readonly FilledBox[] = [],
  ): Promise<FilledBox & { readonly plaintext: Uint8Array }> {
    for (
      let pauseMs: number = CLIENT_LIMITS.linkPollMs;
      ;
      pauseMs = Math.min(pauseMs * 1.25, CLIENT_LIMITS.maxLinkPollMs)
    ) {
      const found = await this.#untilDone(wait, () => this.peek(box, wait.signal));
      await this.requireUndisturbed(guarded, wait);
      if (found !== undefined) return found;
      this.#requireTime(wait);
      await this.#context.clock.sleep(pauseMs, wait.signal);
    }
  }

  /** What a box holds at this moment; undefined when it is empty. Throws LINK_DISTURBED, and errors of the network. */
  async peek(box: BoxKeys, signal: AbortSignal): Promise<(FilledBox & { readonly plaintext: Uint8Array }) | undefined> {
    const blobs = await this.#look(box, signal);
    const [blob, ...others] = blobs;
    if (blob === undefined) return undefined;
    const plaintext = others.length > 0 ? undefined : this.#open(box, blob);
    if (plaintext === undefined) throw disturbed();
    return { box, blob, plaintext };
  }

  /** Throws LINK_DISTURBED unless each box holds the one blob that it had. */
  async requireUndisturbed(boxes: readonly FilledBox[], wait: BoxWait): Promise<void> {
    for (const { box, blob } of boxes) {
      const blobs = await this.#untilDone(wait, () => this.#look(box, wait.signal));
      const [first, ...others] = blobs;
      if (first === undefined || others.length > 0 || !equalBytes(first, blob)) throw disturbed();
    }
  }

  #slotOf(box: BoxKeys): Slot {
    return { serviceUrl: this.#service.url, externalGroupId: box.slotId };
  }

  async #look(box: BoxKeys, signal: AbortSignal): Promise<readonly Uint8Array[]> {
    const name = toHex(box.slotId);
    const seen = this.#seen.get(name);
    try {
      const { blobs, tag } = await this.#service.slots.fetch(this.#slotOf(box), { unless: seen?.tag, signal });
      const shown = blobs ?? seen?.blobs ?? [];
      this.#seen.set(name, { tag, blobs: shown });
      return shown;
    } catch (error) {
      if (codeOf(error) === "INVITE_UNKNOWN_SLOT") return [];
      throw error;
    }
  }

  /** Repeats what fails for reasons of the network until the time is over. */
  async #untilDone<T>(wait: BoxWait, ask: () => Promise<T>): Promise<T> {
    for (;;) {
      wait.signal.throwIfAborted();
      try {
        return await ask();
      } catch (error) {
        if (isAborted(wait.signal)) throw error;
        if (codeOf(error) === "INVITE_SLOT_CLOSED") throw disturbed(error);
        if (!isRetryable(error) || !this.#hasTime(wait)) throw error;
        const waitMs = error instanceof LatchkeyError ? error.retryAfterMs : undefined;
        await this.#context.clock.sleep(waitMs ?? CLIENT_LIMITS.maxLinkPollMs, wait.signal);
      }
    }
  }

  #hasTime({ deadlineNs }: BoxWait): boolean {
    return this.#context.time.bestNs() < deadlineNs;
  }

  #requireTime(wait: BoxWait): void {
    if (!this.#hasTime(wait)) throw expired();
  }

  #seal({ key, slotId, counter }: BoxKeys, plaintext: Uint8Array): Uint8Array {
    const nonce = this.#suite.randomBytes(NONCE_BYTES);
    const ciphertext = this.#suite.aeadSeal(key, nonce, slotId, plaintext);
    const value = {
      nonce,
      ciphertext,
      epoch: BigInt(counter),
      groupStateHash: { digest: this.#suite.hash(ciphertext) },
      expiresAtNs: this.#context.time.bestNs() + BigInt(CLIENT_LIMITS.linkBlobMs) * 1_000_000n,
    };
    return toBinary(
      EncryptedGroupInfoBlobSchema,
      create(EncryptedGroupInfoBlobSchema, { version: { case: "v1", value } }),
    );
  }

  /** Undefined for what nobody with the box's key has written. */
  #open({ key, slotId, counter }: BoxKeys, blob: Uint8Array): Uint8Array | undefined {
    try {
      const { version } = fromBinary(EncryptedGroupInfoBlobSchema, blob);
      if (version.case !== "v1" || version.value.epoch !== BigInt(counter)) return undefined;
      return unpadded(this.#suite.aeadOpen(key, version.value.nonce, slotId, version.value.ciphertext));
    } catch {
      return undefined;
    }
  }
}
