import { invalidRequest, requireAtMost } from "../errors.ts";
import type { NodeLimits } from "../limits.ts";

/** A group id, an installation key or a destination; throws `REQUEST_INVALID` when it is empty or too long. */
export function requireTopic(what: string, topic: Uint8Array, limits: NodeLimits): Uint8Array {
  if (topic.length === 0) throw invalidRequest(`${what} is missing`);
  if (topic.length > limits.topicBytes) {
    throw invalidRequest(`${what} has ${topic.length} bytes, the limit is ${limits.topicBytes}`);
  }
  return topic;
}

/** The bytes of an envelope; throws `REQUEST_INVALID` when there are none, `REQUEST_TOO_LARGE` when too many. */
export function requireEnvelope(what: string, bytes: Uint8Array, limits: NodeLimits): Uint8Array {
  if (bytes.length === 0) throw invalidRequest(`${what} is empty`);
  requireAtMost(what, bytes.length, limits.envelopeBytes);
  return bytes;
}

/** Short fields beside an envelope's data: nothing that is legal in them has more bytes. */
const SMALL_FIELD_BYTES = 2_048;

/** A key, tag or signature beside the data; throws `REQUEST_INVALID` when it is too long to be one. */
export function requireSmall(what: string, bytes: Uint8Array): Uint8Array {
  if (bytes.length > SMALL_FIELD_BYTES) {
    throw invalidRequest(`${what} has ${bytes.length} bytes, the limit is ${SMALL_FIELD_BYTES}`);
  }
  return bytes;
}
