import type { CryptoProvider } from "@latchkey/mls";
import { derivePskSecret } from "@latchkey/mls/internals";
import { expectBytes } from "../expect.ts";
import { bytesField, fieldsListField, type Fields } from "../fields.ts";
import { suiteOf, type VectorKind } from "../kind.ts";

function verify(vector: Fields, crypto: CryptoProvider): void {
  const suite = suiteOf(vector, crypto);
  const psks = fieldsListField(vector, "psks").map((psk) => ({
    id: { kind: "external", pskId: bytesField(psk, "psk_id"), nonce: bytesField(psk, "psk_nonce") } as const,
    secret: bytesField(psk, "psk"),
  }));
  expectBytes("psk_secret", derivePskSecret(suite, psks), bytesField(vector, "psk_secret"));
}

/** "Pre-Shared Keys": the combined secret of external PSKs (RFC 9420 §8.4). */
export const pskSecret: VectorKind = { files: ["psk_secret", "psk-secret"], shape: ["psks", "psk_secret"], verify };
