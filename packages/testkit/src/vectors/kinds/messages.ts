import {
  decodeExact,
  decodeMlsMessage,
  encode,
  encodeMlsMessage,
  PROPOSAL_TYPE,
  type ProposalKind,
  type Reader,
  type WireFormat,
  type Writer,
} from "@latchkey/mls";
import {
  type Content,
  decodeCommit,
  decodeGroupSecrets,
  decodeProposal,
  decodeRatchetTree,
  encodeCommit,
  encodeGroupSecrets,
  encodeProposal,
  encodeRatchetTree,
  leafTreeNode,
  parentTreeNode,
} from "@latchkey/mls/internals";
import { expectBytes, expectSame, VectorMismatch } from "../expect.ts";
import { bytesField, type Fields } from "../fields.ts";
import type { VectorKind } from "../kind.ts";

/** Decodes the bytes and encodes the value again. */
type RoundTrip = (bytes: Uint8Array) => Uint8Array;

function struct<T>(decode: (reader: Reader) => T, encoder: (writer: Writer, value: T) => void): RoundTrip {
  return (bytes) => encode(decodeExact(bytes, decode), encoder);
}

function mlsMessage(wireFormat: WireFormat, contentKind?: Content["kind"]): RoundTrip {
  return (bytes) => {
    const message = decodeMlsMessage(bytes);
    expectSame<string>("the wire format", message.wireFormat, wireFormat);
    if (contentKind !== undefined) {
      if (message.wireFormat !== "public_message") throw new VectorMismatch("the message is not a PublicMessage");
      expectSame<string>("the content", message.message.content.content.kind, contentKind);
    }
    return encodeMlsMessage(message);
  };
}

/** The vectors hold the body of a proposal; its type, which the engine reads first, is put before it. */
function proposal(kind: ProposalKind): RoundTrip {
  return (bytes) => {
    const typed = encode(bytes, (writer, body) => {
      writer.u16(PROPOSAL_TYPE[kind]);
      writer.bytes(body);
    });
    return encode(decodeExact(typed, decodeProposal), encodeProposal).subarray(2);
  };
}

/** The engine keeps the received bytes of every node; here each is encoded from its struct again. */
function ratchetTree(bytes: Uint8Array): Uint8Array {
  const nodes = decodeRatchetTree(bytes).map((node) =>
    node === undefined ? undefined : node.kind === "leaf" ? leafTreeNode(node.leaf) : parentTreeNode(node.parent),
  );
  return encodeRatchetTree(nodes);
}

const ROUND_TRIPS: Readonly<Record<string, RoundTrip>> = {
  mls_welcome: mlsMessage("welcome"),
  mls_group_info: mlsMessage("group_info"),
  mls_key_package: mlsMessage("key_package"),
  ratchet_tree: ratchetTree,
  group_secrets: (bytes) => encodeGroupSecrets(decodeGroupSecrets(bytes)),
  add_proposal: proposal("add"),
  update_proposal: proposal("update"),
  remove_proposal: proposal("remove"),
  pre_shared_key_proposal: proposal("psk"),
  re_init_proposal: proposal("reinit"),
  external_init_proposal: proposal("external_init"),
  group_context_extensions_proposal: proposal("group_context_extensions"),
  commit: struct(decodeCommit, encodeCommit),
  public_message_application: mlsMessage("public_message", "application"),
  public_message_proposal: mlsMessage("public_message", "proposal"),
  public_message_commit: mlsMessage("public_message", "commit"),
  private_message: mlsMessage("private_message"),
};

function verify(vector: Fields): void {
  for (const [field, roundTrip] of Object.entries(ROUND_TRIPS)) {
    const bytes = bytesField(vector, field);
    expectBytes(`${field}, decoded and encoded again,`, roundTrip(bytes), bytes);
  }
}

/** "Messages": every struct decodes and encodes to the same bytes. */
export const messages: VectorKind = {
  files: ["messages"],
  shape: ["mls_welcome", "mls_group_info", "private_message"],
  verify,
};
