import { decodeExact } from "../codec/reader.ts";
import { encode, type Writer } from "../codec/writer.ts";
import type { Reader } from "../codec/reader.ts";
import { deriveTreeSecret } from "../crypto/labels.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { ValidationError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";
import type { MessageKey } from "../messages/private-message.ts";

/** One ratchet of a sender (RFC 9420 §9.1), a value: taking a key gives a new one. */
export interface Ratchet {
  /** The next generation. */
  readonly generation: number;
  readonly secret: Uint8Array;
  /** Keys of messages that were skipped, by generation, oldest first. */
  readonly skipped: ReadonlyMap<number, MessageKey>;
}

/** The two ratchets of a leaf. */
export interface LeafRatchets {
  readonly handshake: Ratchet;
  readonly application: Ratchet;
}

function deriveKey(suite: CipherSuite, secret: Uint8Array, generation: number): MessageKey {
  return {
    key: deriveTreeSecret(suite, secret, "key", generation, suite.aeadKeyLength),
    nonce: deriveTreeSecret(suite, secret, "nonce", generation, suite.aeadNonceLength),
  };
}

function nextSecret(suite: CipherSuite, secret: Uint8Array, generation: number): Uint8Array {
  return deriveTreeSecret(suite, secret, "secret", generation, suite.hashLength);
}

/** The key of the next message to send. */
export function takeNextKey(suite: CipherSuite, ratchet: Ratchet): { ratchet: Ratchet; key: MessageKey } {
  const { generation, secret } = ratchet;
  if (generation >= 0xffffffff) {
    throw new ValidationError("generation", "the sending ratchet of this epoch is used up; commit to start a new one");
  }
  const next = { ...ratchet, generation: generation + 1, secret: nextSecret(suite, secret, generation) };
  return { ratchet: next, key: deriveKey(suite, secret, generation) };
}

/**
 * The key of a received generation, once: skipped keys are kept for messages out of order, used keys are gone, and
 * undefined is returned for them.
 *
 * Throws ValidationError `generation` when it is more than `MLS_LIMITS.maxRatchetSteps` ahead, before anything is derived.
 */
export function takeKey(
  suite: CipherSuite,
  ratchet: Ratchet,
  generation: number,
): { ratchet: Ratchet; key: MessageKey } | undefined {
  if (generation < ratchet.generation) {
    const key = ratchet.skipped.get(generation);
    if (key === undefined) return undefined;
    const skipped = new Map(ratchet.skipped);
    skipped.delete(generation);
    return { ratchet: { ...ratchet, skipped }, key };
  }
  if (generation - ratchet.generation > MLS_LIMITS.maxRatchetSteps) {
    throw new ValidationError(
      "generation",
      `generation ${generation} is ${generation - ratchet.generation} steps ahead; at most ${MLS_LIMITS.maxRatchetSteps} are turned`,
    );
  }
  const skipped = new Map(ratchet.skipped);
  let secret = ratchet.secret;
  for (let at = ratchet.generation; at < generation; at++) {
    skipped.set(at, deriveKey(suite, secret, at));
    secret = nextSecret(suite, secret, at);
  }
  const key = deriveKey(suite, secret, generation);
  for (const oldest of skipped.keys()) {
    if (skipped.size <= MLS_LIMITS.maxSkippedKeys) break;
    skipped.delete(oldest);
  }
  return { ratchet: { generation: generation + 1, secret: nextSecret(suite, secret, generation), skipped }, key };
}

function encodeRatchet(writer: Writer, ratchet: Ratchet): void {
  writer.u32(ratchet.generation);
  writer.opaque(ratchet.secret);
  writer.vector(ratchet.skipped, (inner, [generation, { key, nonce }]) => {
    inner.u32(generation);
    inner.opaque(key);
    inner.opaque(nonce);
  });
}

function decodeRatchet(reader: Reader): Ratchet {
  return {
    generation: reader.u32(),
    secret: reader.opaque(),
    skipped: new Map(
      reader.vector((inner): [number, MessageKey] => [inner.u32(), { key: inner.opaque(), nonce: inner.opaque() }]),
    ),
  };
}

/** Storage form of a leaf's ratchets. */
export function encodeLeafRatchets(ratchets: LeafRatchets): Uint8Array {
  return encode(ratchets, (writer, value) => {
    encodeRatchet(writer, value.handshake);
    encodeRatchet(writer, value.application);
  });
}

export function decodeLeafRatchets(bytes: Uint8Array): LeafRatchets {
  return decodeExact(bytes, (reader) => ({ handshake: decodeRatchet(reader), application: decodeRatchet(reader) }));
}
