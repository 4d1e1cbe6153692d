import { fromBase64Url } from "@latchkey/xmtp";
import type { GroupCore } from "../group/group-core.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { imageKind } from "../invite/image.ts";
import { joinByExternalCommit } from "./join.ts";
import type { JoinOptions } from "./options.ts";

/**
 * How invites of one payload version are joined. XIP-82 has version 1, the external commit; a later proposal adds a field to
 * the oneof of ExternalInvitePayload, and a kind here.
 */
export interface JoinKind {
  /** Field number of the version in the oneof. */
  readonly version: number;
  /** Joins by the serialized payload; throws as `joinByExternalCommit`. */
  readonly join: (context: GroupsContext, payload: Uint8Array, options: JoinOptions) => Promise<GroupCore>;
}

/** Wire type of a field with a length (protobuf, "Message Structure"). */
const LENGTH_DELIMITED = 2;

/** Kinds beside the external commit, whose links and pictures have a reader of their own. */
const kinds = new Map<number, JoinKind>();

/** Adds a kind; the returned function takes it away again. */
export function registerJoinKind(kind: JoinKind): () => void {
  kinds.set(kind.version, kind);
  return () => void kinds.delete(kind.version);
}

/** The kind of a payload, by the field number of its first byte. */
function kindOf(payload: Uint8Array): JoinKind | undefined {
  const [tag = 0] = payload;
  return tag % 8 === LENGTH_DELIMITED && tag < 0x80 ? kinds.get(tag >> 3) : undefined;
}

/** The bytes behind the `#` of a link, or behind its scheme; none for other texts. */
function payloadOfLink(link: string): Uint8Array {
  const [, encoded = ""] = /(?:#|^latchkey:)([\w-]+)$/.exec(link.trim()) ?? [];
  try {
    return fromBase64Url(encoded);
  } catch {
    return new Uint8Array(0);
  }
}

/** The payload of a registered kind in what a person gave: its bytes, a link, or a picture of one. */
async function findPayload(
  { readQr }: GroupsContext,
  invite: string | Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  if (kinds.size === 0) return undefined;
  const isPicture = typeof invite !== "string" && imageKind(invite) !== undefined;
  const links = typeof invite === "string" ? [invite] : isPicture ? ((await readQr?.(invite, signal)) ?? []) : [];
  const payloads = typeof invite === "string" || isPicture ? links.map(payloadOfLink) : [invite];
  return payloads.find((payload) => kindOf(payload) !== undefined);
}

/** Joins the group that an invite leads to, by the kind of its payload; see `joinByExternalCommit` for what is thrown. */
export async function joinByInvite(
  context: GroupsContext,
  invite: string | Uint8Array,
  options: JoinOptions = {},
): Promise<GroupCore> {
  const payload = await findPayload(context, invite, options.signal);
  const kind = payload === undefined ? undefined : kindOf(payload);
  if (payload === undefined || kind === undefined) return joinByExternalCommit(context, invite, options);
  return kind.join(context, payload, options);
}
