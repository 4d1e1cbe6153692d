import type { Reader } from "../codec/reader.ts";
import type { Writer } from "../codec/writer.ts";
import { DecodeError } from "../errors.ts";
import type { LeafIndex } from "../tree/math.ts";
import { decodeExtensions, encodeExtensions, type Extension } from "./extension.ts";
import { decodeKeyPackage, encodeKeyPackage, type KeyPackage } from "./key-package.ts";
import { decodeLeafNode, encodeLeafNode, type LeafNode } from "./leaf-node.ts";

/** PreSharedKeyID (RFC 9420 §8.4). */
export type PreSharedKeyId =
  | { readonly kind: "external"; readonly pskId: Uint8Array; readonly nonce: Uint8Array }
  | {
      readonly kind: "resumption";
      /** 1 application, 2 reinit, 3 branch. */
      readonly usage: number;
      readonly groupId: Uint8Array;
      readonly epoch: bigint;
      readonly nonce: Uint8Array;
    };

/** ReInit (RFC 9420 §12.1.5): the group that is to take the place of this one. */
export interface ReInit {
  readonly groupId: Uint8Array;
  readonly version: number;
  readonly cipherSuite: number;
  readonly extensions: readonly Extension[];
}

/** Writes a ReInit without its proposal type. */
export function encodeReInit(writer: Writer, reinit: ReInit): void {
  writer.opaque(reinit.groupId);
  writer.u16(reinit.version);
  writer.u16(reinit.cipherSuite);
  encodeExtensions(writer, reinit.extensions);
}

/** Reads a ReInit without its proposal type; throws DecodeError. */
export function decodeReInit(reader: Reader): ReInit {
  return {
    groupId: reader.opaque(),
    version: reader.u16(),
    cipherSuite: reader.u16(),
    extensions: decodeExtensions(reader),
  };
}

/** What an AppDataUpdate does to its component. */
export type AppDataOperation = { readonly kind: "update"; readonly update: Uint8Array } | { readonly kind: "remove" };

/** Proposal (RFC 9420 §12.1, and the extensions draft for the last three). */
export type Proposal =
  | { readonly kind: "add"; readonly keyPackage: KeyPackage }
  | { readonly kind: "update"; readonly leafNode: LeafNode }
  | { readonly kind: "remove"; readonly removed: LeafIndex }
  | { readonly kind: "psk"; readonly psk: PreSharedKeyId }
  | ({ readonly kind: "reinit" } & ReInit)
  | { readonly kind: "external_init"; readonly kemOutput: Uint8Array }
  | { readonly kind: "group_context_extensions"; readonly extensions: readonly Extension[] }
  | { readonly kind: "app_data_update"; readonly componentId: number; readonly operation: AppDataOperation }
  | { readonly kind: "app_ephemeral"; readonly componentId: number; readonly data: Uint8Array }
  | { readonly kind: "self_remove" };

export type ProposalKind = Proposal["kind"];

/** Proposal types: RFC 9420 §17.4 and the extensions draft. */
export const PROPOSAL_TYPE = {
  add: 0x0001,
  update: 0x0002,
  remove: 0x0003,
  psk: 0x0004,
  reinit: 0x0005,
  external_init: 0x0006,
  group_context_extensions: 0x0007,
  app_data_update: 0x0008,
  app_ephemeral: 0x0009,
  self_remove: 0x000a,
} as const satisfies Record<ProposalKind, number>;

const PSK_TYPE = { external: 1, resumption: 2 } as const;
const OPERATION = { update: 1, remove: 2 } as const;

export function encodePreSharedKeyId(writer: Writer, psk: PreSharedKeyId): void {
  writer.u8(PSK_TYPE[psk.kind]);
  if (psk.kind === "external") {
    writer.opaque(psk.pskId);
  } else {
    writer.u8(psk.usage);
    writer.opaque(psk.groupId);
    writer.u64(psk.epoch);
  }
  writer.opaque(psk.nonce);
}

export function decodePreSharedKeyId(reader: Reader): PreSharedKeyId {
  const type = reader.u8();
  if (type === PSK_TYPE.external) return { kind: "external", pskId: reader.opaque(), nonce: reader.opaque() };
  if (type !== PSK_TYPE.resumption) throw new DecodeError(`PSK type ${type} is unknown`);
  const usage = reader.u8();
  if (usage < 1 || usage > 3) throw new DecodeError(`resumption PSK usage ${usage} is unknown`);
  return { kind: "resumption", usage, groupId: reader.opaque(), epoch: reader.u64(), nonce: reader.opaque() };
}

export function encodeProposal(writer: Writer, proposal: Proposal): void {
  writer.u16(PROPOSAL_TYPE[proposal.kind]);
  switch (proposal.kind) {
    case "add":
      encodeKeyPackage(writer, proposal.keyPackage);
      break;
    case "update":
      encodeLeafNode(writer, proposal.leafNode);
      break;
    case "remove":
      writer.u32(proposal.removed);
      break;
    case "psk":
      encodePreSharedKeyId(writer, proposal.psk);
      break;
    case "reinit":
      encodeReInit(writer, proposal);
      break;
    case "external_init":
      writer.opaque(proposal.kemOutput);
      break;
    case "group_context_extensions":
      encodeExtensions(writer, proposal.extensions);
      break;
    case "app_data_update":
      writer.u16(proposal.componentId);
      writer.u8(OPERATION[proposal.operation.kind]);
      if (proposal.operation.kind === "update") writer.opaque(proposal.operation.update);
      break;
    case "app_ephemeral":
      writer.u16(proposal.componentId);
      writer.opaque(proposal.data);
      break;
    case "self_remove":
      break;
  }
}

function decodeAppDataOperation(reader: Reader): AppDataOperation {
  const operation = reader.u8();
  if (operation === OPERATION.update) return { kind: "update", update: reader.opaque() };
  if (operation === OPERATION.remove) return { kind: "remove" };
  throw new DecodeError(`app-data operation ${operation} is unknown`);
}

const decoders: Record<number, (reader: Reader) => Proposal> = {
  [PROPOSAL_TYPE.add]: (reader) => ({ kind: "add", keyPackage: decodeKeyPackage(reader) }),
  [PROPOSAL_TYPE.update]: (reader) => ({ kind: "update", leafNode: decodeLeafNode(reader) }),
  // Any index is well-formed here; that the leaf exists is checked against the tree before the index is used.
  [PROPOSAL_TYPE.remove]: (reader) => ({ kind: "remove", removed: reader.u32() as LeafIndex }),
  [PROPOSAL_TYPE.psk]: (reader) => ({ kind: "psk", psk: decodePreSharedKeyId(reader) }),
  [PROPOSAL_TYPE.reinit]: (reader) => ({ kind: "reinit", ...decodeReInit(reader) }),
  [PROPOSAL_TYPE.external_init]: (reader) => ({ kind: "external_init", kemOutput: reader.opaque() }),
  [PROPOSAL_TYPE.group_context_extensions]: (reader) => ({
    kind: "group_context_extensions",
    extensions: decodeExtensions(reader),
  }),
  [PROPOSAL_TYPE.app_data_update]: (reader) => ({
    kind: "app_data_update",
    componentId: reader.u16(),
    operation: decodeAppDataOperation(reader),
  }),
  [PROPOSAL_TYPE.app_ephemeral]: (reader) => ({
    kind: "app_ephemeral",
    componentId: reader.u16(),
    data: reader.opaque(),
  }),
  [PROPOSAL_TYPE.self_remove]: () => ({ kind: "self_remove" }),
};

/** Throws DecodeError for an unknown type: a proposal carries no length, so what follows could not be read either. */
export function decodeProposal(reader: Reader): Proposal {
  const type = reader.u16();
  const decode = decoders[type];
  if (decode === undefined) throw new DecodeError(`proposal type ${type} is unknown`);
  return decode(reader);
}
