import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { invalidRequest } from "../errors.ts";
import type { SlotWriter } from "../storage/storage.ts";

/** Header of an upload: SHA-256 of the credential that is to admit from now on, in base64url. */
export const NEXT_CREDENTIAL_HEADER = "x-latchkey-next-credential";

/** 32 bytes in base64url without padding. */
const THIRTY_TWO_BYTES = /^[\w-]{42}[AEIMQUYcgkosw048]$/;

function read(what: string, text: string): Uint8Array {
  if (!THIRTY_TWO_BYTES.test(text)) throw invalidRequest(`${what} must be 32 bytes in base64url`);
  return Buffer.from(text, "base64url");
}

/** Reads by which right an upload is made. Only hashes leave this place. Throws `REQUEST_INVALID`. */
export function readSlotWriter(headers: IncomingHttpHeaders): SlotWriter {
  const { authorization } = headers;
  const next = headers[NEXT_CREDENTIAL_HEADER];
  if (authorization === undefined) {
    if (next !== undefined) throw invalidRequest("a new credential needs the present one");
    return {};
  }
  const token = read("the credential", authorization.replace(/^bearer +/i, ""));
  const credentialHash = createHash("sha256").update(token).digest();
  return next === undefined
    ? { credentialHash }
    : { credentialHash, nextHash: read("the next credential", String(next)) };
}
