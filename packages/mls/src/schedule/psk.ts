import { encode } from "../codec/writer.ts";
import { expandWithLabel } from "../crypto/labels.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { encodePreSharedKeyId, type PreSharedKeyId } from "../messages/proposal.ts";
import { zeroSecret } from "./key-schedule.ts";

/** A pre-shared key with the id it goes by. */
export interface PreSharedKey {
  readonly id: PreSharedKeyId;
  readonly secret: Uint8Array;
}

/** psk_secret over the PSKs of a commit, in order (RFC 9420 §8.4); all zero without any. */
export function derivePskSecret(suite: CipherSuite, psks: readonly PreSharedKey[]): Uint8Array {
  let pskSecret = zeroSecret(suite);
  psks.forEach(({ id, secret }, index) => {
    const label = encode(id, (writer, value) => {
      encodePreSharedKeyId(writer, value);
      writer.u16(index);
      writer.u16(psks.length);
    });
    const extracted = suite.hkdfExtract(zeroSecret(suite), secret);
    const input = expandWithLabel(suite, extracted, "derived psk", label, suite.hashLength);
    pskSecret = suite.hkdfExtract(input, pskSecret);
  });
  return pskSecret;
}
