import { decodeMlsMessage, encodeMlsMessage, EXTENSION_TYPE } from "@latchkey/mls";
import { signGroupInfo } from "@latchkey/mls/internals";
import type { Identity } from "./client.ts";

/**
 * The same GroupInfo with another `external_pub`, signed again by its signer: ts-mls 2.0.0-rc.10 writes and reads the
 * bare key there instead of `opaque<V>` (RFC 9420 §12.4.3.2).
 */
export async function withExternalPub(
  groupInfo: Uint8Array,
  signer: Pick<Identity, "suite" | "signatureKeyPair">,
  change: (externalPub: Uint8Array) => Uint8Array,
): Promise<Uint8Array> {
  const decoded = decodeMlsMessage(groupInfo);
  if (decoded.wireFormat !== "group_info") throw new Error(`expected a GroupInfo, got a ${decoded.wireFormat}`);
  const { message } = decoded;
  const extensions = message.extensions.map(({ type, data }) => ({
    type,
    data: type === EXTENSION_TYPE.externalPub ? change(data) : data,
  }));
  const { suite, signatureKeyPair } = signer;
  const resigned = await signGroupInfo(suite, signatureKeyPair.privateKey, { ...message, extensions });
  return encodeMlsMessage({ wireFormat: "group_info", message: resigned });
}
