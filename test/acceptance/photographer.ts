import { create, toBinary } from "@bufbuild/protobuf";
import { httpSlots, type Environment } from "@latchkey/client";
import { XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { EncryptedGroupInfoBlobSchema } from "@latchkey/xmtp/proto";
import { IdentityDirectory } from "../../packages/client/src/identity/directory.ts";
import { NodeTime } from "../../packages/client/src/identity/node-time.ts";
import { readLinkCode, type LinkCode } from "../../packages/client/src/link/code.ts";
import { openingBox, padded, type BoxKeys } from "../../packages/client/src/link/key-schedule.ts";
import type { LinkContext } from "../../packages/client/src/link/link-context.ts";

/** A context for whoever plays a side of a link without a client. */
export function linkContext(environment: Environment): LinkContext {
  const time = new NodeTime(environment.clock);
  return { ...environment, time, directory: new IdentityDirectory(environment.store, environment.transport, { time }) };
}

/** Somebody who has seen the code on a screen: they find the first three boxes and may write to them. */
export class Photographer {
  readonly code: LinkCode;
  readonly #environment: Environment;

  constructor(environment: Environment, text: string) {
    this.#environment = environment;
    this.code = readLinkCode(environment.crypto.suite(XMTP_CIPHER_SUITE), text);
  }

  box(index: 0 | 1 | 2): BoxKeys {
    return openingBox(this.#environment.crypto.suite(XMTP_CIPHER_SUITE), this.code.secret, index);
  }

  /** Writes a blob that says nothing into a box. */
  async fill(index: 0 | 1 | 2): Promise<void> {
    await this.#upload(index, this.box(index).credential);
  }

  /** Writes one under another credential than the one that both devices derive: whoever is first closes the box. */
  async close(index: 0 | 1 | 2): Promise<void> {
    await this.#upload(index, this.#environment.crypto.randomBytes(32));
  }

  async #upload(index: 0 | 1 | 2, current: Uint8Array): Promise<void> {
    const { crypto } = this.#environment;
    const credentials = { current, currentHash: crypto.suite(XMTP_CIPHER_SUITE).hash(current), earlier: [] };
    const slot = { serviceUrl: this.code.serviceUrl, externalGroupId: this.box(index).slotId, credentials };
    await httpSlots.upload(slot, blobOf(this.#environment, index, crypto.randomBytes(1_040)));
  }
}

function blobOf({ crypto }: Environment, counter: number, ciphertext: Uint8Array, nonce = crypto.randomBytes(12)) {
  const digest = crypto.suite(XMTP_CIPHER_SUITE).hash(ciphertext);
  const value = { nonce, ciphertext, epoch: BigInt(counter), groupStateHash: { digest } };
  const blob = create(EncryptedGroupInfoBlobSchema, { version: { case: "v1", value } });
  return toBinary(EncryptedGroupInfoBlobSchema, blob);
}

/** A blob that opens as that box's. */
export function sealBox(
  environment: Environment,
  { key, slotId, counter }: BoxKeys,
  plaintext: Uint8Array,
): Uint8Array {
  const nonce = environment.crypto.randomBytes(12);
  const suite = environment.crypto.suite(XMTP_CIPHER_SUITE);
  return blobOf(environment, counter, suite.aeadSeal(key, nonce, slotId, padded(plaintext, 1_024)), nonce);
}
