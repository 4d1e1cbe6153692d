import { create, toBinary } from "@bufbuild/protobuf";
import { DecodeError, optional, requireFields, requireOneOf, requireText } from "@latchkey/mls";
import { ReactionAction, ReactionSchema, ReactionV2Schema } from "../proto.ts";
import { decodeProto } from "../protobuf.ts";
import type { ContentCodec } from "./codec.ts";

/** A reaction to an earlier message, or the end of one. */
export interface Reaction {
  /** Id of that message, in hex. */
  readonly reference: string;
  /** Inbox of its sender, where the author of the reaction stated it. */
  readonly referenceInboxId?: string;
  readonly action: "added" | "removed";
  /** The emoji, its short code, or a word of the application. */
  readonly content: string;
  readonly schema: "unicode" | "shortcode" | "custom";
}

const ACTIONS = { added: ReactionAction.ADDED, removed: ReactionAction.REMOVED } as const;

const SCHEMAS = {
  unicode: ReactionSchema.UNICODE,
  shortcode: ReactionSchema.SHORTCODE,
  custom: ReactionSchema.CUSTOM,
} as const;

const requireReaction = requireFields<Reaction>({
  reference: requireText,
  referenceInboxId: optional(requireText),
  action: requireOneOf(["added", "removed"]),
  content: requireText,
  schema: requireOneOf(["unicode", "shortcode", "custom"]),
});

function nameOf<T extends string>(names: Readonly<Record<T, number>>, value: number): T {
  const name = (Object.keys(names) as T[]).find((one) => names[one] === value);
  if (name === undefined) throw new DecodeError("a reaction does not say what it does, or how it is written");
  return name;
}

/** A reaction (content type `xmtp.org/reaction:2.0`). Of earlier versions the bytes and the fallback arrive. */
export const reactionCodec: ContentCodec<Reaction> = {
  type: "xmtp.org/reaction:2.0",
  isShown: true,
  encode: (value) => {
    const { reference, referenceInboxId = "", action, content, schema } = requireReaction(value, "value");
    const fields = { reference, referenceInboxId, action: ACTIONS[action], content, schema: SCHEMAS[schema] };
    return { body: toBinary(ReactionV2Schema, create(ReactionV2Schema, fields)) };
  },
  decode: ({ body }) => {
    const { reference, referenceInboxId, action, content, schema } = decodeProto(ReactionV2Schema, body);
    return {
      reference,
      action: nameOf(ACTIONS, action),
      content,
      schema: nameOf(SCHEMAS, schema),
      ...(referenceInboxId !== "" && { referenceInboxId }),
    };
  },
  fallback: ({ action, content }) =>
    action === "added"
      ? `Reacted with "${content}" to an earlier message`
      : `Removed "${content}" from an earlier message`,
  shouldPush: () => false,
};
