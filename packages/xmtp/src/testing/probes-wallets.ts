import { create, toBinary } from "@bufbuild/protobuf";
import { concatBytes, toHex } from "@latchkey/mls";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { SignatureSchema, UnsignedPublicKeySchema } from "../proto.ts";
import { seed, TEST_TIME_NS } from "./inboxes.ts";
import { deriveInboxId } from "../identity/identifier.ts";
import {
  addInstallation,
  byWallet,
  changeRecovery,
  createInbox,
  created,
  INBOX,
  update,
  WALLET,
  wallet,
  walletBytes,
  type Probe,
  type Sign,
} from "./probe-kit.ts";

const { Fn } = secp256k1.Point;

function changed(change: (bytes: Uint8Array) => Uint8Array): Sign {
  return (text) => wallet(change(walletBytes(text)));
}

function creation(title: string, holds: boolean, by: Sign): Probe {
  return { title: `wallet ${title}`, log: [update(INBOX, [createInbox(by)])], holds };
}

const withV = (bytes: Uint8Array, v: number): Uint8Array => concatBytes(bytes.subarray(0, 64), Uint8Array.of(v));

function mirrored(bytes: Uint8Array): Uint8Array {
  const { r, s } = secp256k1.Signature.fromBytes(bytes.subarray(0, 64), "compact");
  return concatBytes(new secp256k1.Signature(r, Fn.neg(s)).toBytes("compact"), bytes.subarray(64));
}

const turned = (bytes: Uint8Array): Uint8Array => withV(bytes, 55 - (bytes[64] ?? 0));

function plus(bytes: Uint8Array, at: number): Uint8Array {
  const value = BigInt(`0x${toHex(bytes.subarray(at, at + 32))}`) + Fn.ORDER;
  const sum = Uint8Array.from({ length: 32 }, (_, index) => Number((value >> BigInt(8 * (31 - index))) & 0xffn));
  return Uint8Array.from(bytes, (byte, index) => sum[index - at] ?? byte);
}

function replays(title: string, holds: boolean, change: (bytes: Uint8Array) => Uint8Array): Probe {
  const once = update(INBOX, [changeRecovery(WALLET.value)]);
  const again = update(INBOX, [changeRecovery(WALLET.value, undefined, changed(change))]);
  return { title: `wallet replay ${title}`, log: [created(), once, again], holds };
}

/** v in the forms that name the parity, and in those that name the other one or none. */
const FORMS_OF_V = [0, 1, 2, 3, 26, 27, 28, 29, 30, 34, 35, 36, 37, 38, 127, 128, 254, 255];

function formsOfV(): Probe[] {
  const parity = (v: number): number | undefined =>
    v < 2 ? v : v === 27 || v === 28 ? v - 27 : v < 35 ? undefined : (v - 35) % 2;
  return FORMS_OF_V.map((v) => {
    let signed: number | undefined;
    const by = changed((bytes) => {
      signed = (bytes[64] ?? 0) - 27;
      return withV(bytes, v);
    });
    const probe = creation(`v = ${v}`, true, by);
    return { ...probe, holds: parity(v) === signed };
  });
}

const LEGACY_KEY = seed(510);

interface LegacyForm {
  readonly key?: Uint8Array;
  readonly recovery?: (v: number) => number;
  readonly admitted?: Uint8Array;
  readonly union?: "ecdsaCompact" | "walletEcdsaCompact";
}

/** Signs by a key of the V2 protocol that the wallet admitted. */
function byLegacyKey(form: LegacyForm = {}): Sign {
  const bytes = form.key ?? secp256k1.getPublicKey(LEGACY_KEY, false);
  const keyBytes = toBinary(
    UnsignedPublicKeySchema,
    create(UnsignedPublicKeySchema, {
      createdNs: TEST_TIME_NS,
      union: { case: "secp256k1Uncompressed", value: { bytes } },
    }),
  );
  const admission = `XMTP : Create Identity\n${toHex(keyBytes)}\n\nFor more info: https://xmtp.org/signatures/`;
  const admitted = walletBytes(admission, form.admitted);
  const recovery = form.recovery?.(admitted[64] ?? 0) ?? (admitted[64] ?? 0) - 27;
  const value = { bytes: admitted.subarray(0, 64), recovery };
  return (text) =>
    create(SignatureSchema, {
      signature: {
        case: "delegatedErc191",
        value: {
          delegatedKey: { keyBytes, signature: { union: { case: form.union ?? "walletEcdsaCompact", value } } },
          signature: { bytes: walletBytes(text, LEGACY_KEY) },
        },
      },
    });
}

function legacy(title: string, holds: boolean, by: Sign, nonce = 0n): Probe {
  const inboxId = deriveInboxId(WALLET.value, nonce);
  return { title: `V2 key ${title}`, log: [update(inboxId, [createInbox(by, WALLET, { nonce })])], holds };
}

/** Signatures of wallets, at every border of EIP-191 and of the ECDSA below. */
export function walletProbes(): Probe[] {
  return [
    ...formsOfV(),
    creation("low s", true, byWallet),
    creation("high s, v as it was", true, changed(mirrored)),
    creation(
      "high s, v turned",
      false,
      changed((bytes) => turned(mirrored(bytes))),
    ),
    creation("v turned", false, changed(turned)),
    creation(
      "r plus the group order",
      false,
      changed((bytes) => plus(bytes, 0)),
    ),
    creation(
      "s plus the group order",
      false,
      changed((bytes) => plus(bytes, 32)),
    ),
    creation(
      "r of zero",
      false,
      changed((bytes) => Uint8Array.from(bytes, (byte, at) => (at < 32 ? 0 : byte))),
    ),
    creation(
      "s of zero",
      false,
      changed((bytes) => Uint8Array.from(bytes, (byte, at) => (at >= 32 && at < 64 ? 0 : byte))),
    ),
    creation(
      "64 bytes",
      false,
      changed((bytes) => bytes.subarray(0, 64)),
    ),
    creation(
      "66 bytes",
      false,
      changed((bytes) => concatBytes(bytes, Uint8Array.of(0))),
    ),
    creation("of somebody else", false, (text) => wallet(walletBytes(text, seed(9)))),
    replays("as it was", false, (bytes) => bytes),
    replays("with high s", false, mirrored),
    replays("with v as 0 or 1", true, (bytes) => withV(bytes, (bytes[64] ?? 0) - 27)),
    replays("with v of EIP-155", true, (bytes) => withV(bytes, (bytes[64] ?? 0) + 8)),
    legacy("honest", true, byLegacyKey()),
    legacy("admission with v as 27 or 28", true, byLegacyKey({ recovery: (v) => v })),
    legacy("admission with v beyond a byte", true, byLegacyKey({ recovery: (v) => v + 256 })),
    legacy("admission with v turned", false, byLegacyKey({ recovery: (v) => 28 - v })),
    legacy("as ecdsa_compact", true, byLegacyKey({ union: "ecdsaCompact" })),
    legacy("compressed", true, byLegacyKey({ key: secp256k1.getPublicKey(LEGACY_KEY, true) })),
    legacy("of another key", false, byLegacyKey({ key: secp256k1.getPublicKey(seed(511), false) })),
    legacy("that is no point", false, byLegacyKey({ key: new Uint8Array(65).fill(4) })),
    legacy("admitted by another wallet", false, byLegacyKey({ admitted: seed(512) })),
    legacy("for another nonce", false, byLegacyKey(), 1n),
    {
      title: "V2 key after the wallet",
      log: [
        update(deriveInboxId(WALLET.value, 0n), [createInbox(byLegacyKey(), WALLET, { nonce: 0n })]),
        update(deriveInboxId(WALLET.value, 0n), [addInstallation]),
      ],
      holds: true,
    },
  ];
}
