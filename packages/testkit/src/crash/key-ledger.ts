import { Reader, decodeMlsMessage, toHex } from "@latchkey/mls";
import { openSenderData } from "@latchkey/mls/internals";
import { nodeCrypto } from "@latchkey/mls/node";
import { XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import type { Store } from "@latchkey/client";

/**
 * Every message key that was ever spent on something that left an installation, delivered or not: an entry per epoch,
 * ratchet, leaf and generation. Two different ciphertexts under one entry are a key and nonce used twice.
 */
export class KeyLedger {
  readonly #suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  readonly #secrets = new Map<string, Uint8Array>();
  readonly #messages = new Map<string, Uint8Array>();

  /** Takes the sender data secrets of all epochs that a database holds. */
  learn(store: Store): void {
    for (const { groupId, rowKey, value } of store.groupRows.list()) {
      const epoch = /^e\/(\d+)$/.exec(rowKey)?.[1];
      if (epoch === undefined) continue;
      const reader = new Reader(value);
      reader.opaque();
      this.#secrets.set(`${toHex(groupId)}/${epoch}`, reader.opaque());
    }
  }

  /** Notes a message that was handed to the network or stands in the node's log. */
  note(message: Uint8Array): void {
    this.#messages.set(toHex(message), message);
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
      const secret = this.#secrets.get(epoch);
      if (secret === undefined) {
        unread++;
        continue;
      }
      const { leafIndex, generation } = openSenderData(this.#suite, message, secret);
      const ratchet = message.contentKind === "application" ? "application" : "handshake";
      const entry = `${epoch}/${ratchet}/${leafIndex}/${generation}`;
      if (spent.has(entry)) reused.push(entry.slice(33));
      spent.add(entry);
    }
    return { spent: spent.size, reused, unread };
  }
}
