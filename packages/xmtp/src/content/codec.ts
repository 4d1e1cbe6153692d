import { DecodeError } from "@latchkey/mls";

/** The content of a message as its type defines it: XMTP's EncodedContent without the type. */
export interface CodedContent {
  readonly body: Uint8Array;
  readonly parameters?: Readonly<Record<string, string>>;
}

/** How values of one content type are written and read. One file and one export a type. */
export interface ContentCodec<T> {
  /** `authority/type:major.minor`, as in `xmtp.org/text:1.0`. */
  readonly type: string;
  /** False: applications are shown no message of this type. */
  readonly isShown: boolean;
  readonly encode: (value: T) => CodedContent;
  /** Throws DecodeError for content that is malformed. */
  readonly decode: (content: CodedContent) => T;
  /** Text for programs that do not know the type; undefined for none. */
  readonly fallback: (value: T) => string | undefined;
  /** Whether a message of this value is worth waking people for. */
  readonly shouldPush: (value: T) => boolean;
}

/** A content type in its parts. */
export interface ContentTypeParts {
  readonly authorityId: string;
  readonly typeId: string;
  readonly versionMajor: number;
  readonly versionMinor: number;
}

/** Reads `authority/type:major.minor`; throws DecodeError. */
export function parseContentType(text: string): ContentTypeParts {
  const match = /^([^/]+)\/([^:]+):(\d+)\.(\d+)$/.exec(text);
  if (match === null) throw new DecodeError("a content type has the form authority/type:major.minor");
  const [, authorityId = "", typeId = "", major, minor] = match;
  return { authorityId, typeId, versionMajor: Number(major), versionMinor: Number(minor) };
}

/** Whether a codec reads content of a type: authority, type and major version are the same. */
export function isReadBy(codec: Pick<ContentCodec<unknown>, "type">, type: ContentTypeParts): boolean {
  const own = parseContentType(codec.type);
  const isSameType = own.authorityId === type.authorityId && own.typeId === type.typeId;
  return isSameType && own.versionMajor === type.versionMajor;
}
