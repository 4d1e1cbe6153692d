import { concatBytes, encode, utf8, type CipherSuite } from "@latchkey/mls";

/*
 * The key schedule of linking, as pure functions. A code names a device A, which shows it; B reads it. B commits to its
 * key before A reveals its nonce, and A reveals its nonce before B opens the commitment: the six digits that both derive
 * cannot be ground by anybody who stands between them.
 */

/** The part of cipher suite 3 of MLS that linking uses: X25519, SHA-256, ChaCha20-Poly1305. */
export type LinkHash = Pick<CipherSuite, "hash">;
type Kdf = Pick<CipherSuite, "hkdfExtract" | "hkdfExpand">;

const LABEL = "latchkey link 1";
const SLOT_BYTES = 16;
const KEY_BYTES = 32;
const DIGITS = 6;

/** One box: a slot that is written once. */
export interface BoxKeys {
  /** Id of the slot, 16 bytes. */
  readonly slotId: Uint8Array;
  /** Admits to writing the slot, 32 bytes, secret. */
  readonly credential: Uint8Array;
  /** Key of the one AEAD ciphertext in it, 32 bytes, secret. */
  readonly key: Uint8Array;
  /** Stands in the blob as its epoch. */
  readonly counter: number;
}

/** Who writes to a box of the shared secret. */
export type LinkDirection = "from-old" | "from-new";

function boxKeys(suite: Kdf, secret: Uint8Array, name: string, counter: number): BoxKeys {
  const expand = (what: string, length: number) => suite.hkdfExpand(secret, utf8(`${name} ${what}`), length);
  return {
    slotId: expand("id", SLOT_BYTES),
    credential: expand("credential", KEY_BYTES),
    key: expand("key", KEY_BYTES),
    counter,
  };
}

/** Box 0, 1 or 2, from the 16 secret bytes of the code: whoever has seen the code finds it. */
export function openingBox(suite: Kdf, codeSecret: Uint8Array, index: 0 | 1 | 2): BoxKeys {
  return boxKeys(suite, suite.hkdfExtract(utf8(LABEL), codeSecret), String(index), index);
}

/** The box of a message behind the opening, from the shared secret; messages of each direction are counted from 0. */
export function laterBox(suite: Kdf, shared: Uint8Array, direction: LinkDirection, counter: number): BoxKeys {
  return boxKeys(suite, shared, `${direction} ${counter}`, counter);
}

/** What B reveals last: its X25519 key and its nonce, 32 bytes each. */
export interface Revelation {
  readonly publicKey: Uint8Array;
  readonly nonce: Uint8Array;
}

/** B's commitment to its key, `c`: 32 bytes. `code` is what `linkCodeBytes` gives, which delimits itself. */
export function commitment(suite: LinkHash, code: Uint8Array, { publicKey, nonce }: Revelation): Uint8Array {
  return suite.hash(concatBytes(utf8(LABEL), code, publicKey, nonce));
}

/** Everything that both have seen. */
export interface Transcript {
  readonly code: Uint8Array;
  readonly commitment: Uint8Array;
  /** A's, 32 bytes. */
  readonly nonce: Uint8Array;
  readonly revelation: Revelation;
}

/** Hash of the transcript, `th`: 32 bytes. */
export function transcriptHash(suite: LinkHash, transcript: Transcript): Uint8Array {
  const { code, commitment: committed, nonce, revelation } = transcript;
  return suite.hash(
    concatBytes(utf8(`${LABEL} transcript`), code, committed, nonce, revelation.publicKey, revelation.nonce),
  );
}

/** The secret that both derive from X25519 and the transcript, 32 bytes. */
export function sharedSecret(suite: Kdf, transcript: Uint8Array, dh: Uint8Array): Uint8Array {
  return suite.hkdfExtract(transcript, dh);
}

/** Six decimal digits: the first 64 bits of HKDF(th, "digits") mod 10^6. The new device shows them, a person types them. */
export function linkDigits(suite: Kdf, transcript: Uint8Array): string {
  const bytes = suite.hkdfExpand(suite.hkdfExtract(utf8(LABEL), transcript), utf8("digits"), 8);
  const number = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
  return String(number % 10n ** BigInt(DIGITS)).padStart(DIGITS, "0");
}

/** Plaintext of a box, padded with zeros to a power of two of at least `least` bytes, so that sizes say little. */
export function padded(plaintext: Uint8Array, least: number): Uint8Array {
  let size = least;
  while (size < plaintext.length + 4) size *= 2;
  return encode(plaintext, (writer, bytes) => {
    writer.u32(bytes.length);
    writer.bytes(bytes);
    writer.bytes(new Uint8Array(size - 4 - bytes.length));
  });
}

/** The plaintext within padding; undefined where its length does not fit. */
export function unpadded(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < 4) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return length > bytes.length - 4 ? undefined : bytes.slice(4, 4 + length);
}
