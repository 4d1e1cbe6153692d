import { decodeMlsMessage, LatchkeyError, Reader, toHex, type MlsMessage } from "@latchkey/mls";
import { openSenderData } from "@latchkey/mls/internals";
import { nodeCrypto } from "@latchkey/mls/node";
import { XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import type { Store } from "@latchkey/client";

type PrivateMessage = Extract<MlsMessage, { wireFormat: "private_message" }>["message"];

/**
 * Every message key that was ever spent on something that left an installation, delivered or not: an entry per epoch,
 * ratchet, leaf and generation. Two different ciphertexts under one entry are a key and nonce used twice.
 */
export class KeyLedger {
  readonly #suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  /** By epoch; there are several where a node has shown several histories. */
  readonly #secrets = new Map<string, Map<string, Uint8Array>>();
  readonly #messages = new Map<string, Uint8Array>();

  /** Takes the sender data secrets of all epochs that a database holds. */
  learn(store: Store): void {
    for (const { groupId, rowKey, value } of store.groupRows.list()) {
      const epoch = /^e\/(\d+)$/.exec(rowKey)?.[1];
      if (epoch === undefined) continue;
      const reader = new Reader(value);
      reader.opaque();
      const name = `${toHex(groupId)}/${epoch}`;
      const known = this.#secrets.get(name) ?? new Map<string, Uint8Array>();
      const secret = reader.opaque();
      this.#secrets.set(name, known.set(toHex(secret), secret));
    }
  }

  /** Notes a message that was handed to the network or stands in the node's log. */
  note(message: Uint8Array): void {
    this.#messages.set(toHex(message), message);
  }

  /** Takes back a message that never arrived, and that its sender cannot know of any more. */
  forget(message: Uint8Array): void {
    this.#messages.delete(toHex(message));
  }

  /** Who sent a message with which key; undefined when no secret opens that. */
  #open(message: PrivateMessage, secrets: ReadonlyMap<string, Uint8Array> | undefined) {
    for (const [history, secret] of secrets ?? []) {
      try {
        return { ...openSenderData(this.#suite, message, secret), history };
      } catch (error) {
        if (!(error instanceof LatchkeyError)) throw error;
      }
    }
    return undefined;
  }

  /** Keys used twice, and messages whose sender could not be read because nobody's database holds their epoch. */
  audit(): { readonly spent: number; readonly reused: string[]; readonly unread: number } {
    const spent = new Set<string>();
    const reused: string[] = [];
    let unread = 0;
    for (const bytes of this.#messages.values()) {
      const { wireFormat, message } = decodeMlsMessage(bytes);
      if (wireFormat !== "private_message") continue;
      const epoch = `${toHex(message.groupId)}/${message.epoch}`;
      const opened = this.#open(message, this.#secrets.get(epoch));
      if (opened === undefined) {
        unread++;
        continue;
      }
      const ratchet = message.contentKind === "application" ? "application" : "handshake";
      const entry = `${epoch}/${ratchet}/${opened.leafIndex}/${opened.generation}/${opened.history}`;
      if (spent.has(entry)) reused.push(entry.slice(33));
      spent.add(entry);
    }
    return { spent: spent.size, reused, unread };
  }
}
