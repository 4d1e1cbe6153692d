import { randomBytes } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { createInboxUpdate, deriveInboxId, identityUpdateText, InstallationKey, localWallet } from "@latchkey/xmtp";
import {
  IdentityUpdateSchema,
  PublishIdentityUpdateRequestSchema,
  SignatureSchema,
  type IdentityUpdate,
} from "@latchkey/xmtp/proto";
import { flood, type Attack } from "./attack.ts";
import { PUBLISH_IDENTITY } from "./crowd.ts";
import { grpcFrame, MANY } from "./wire.ts";

/** Additions of a heavy update, each with two signatures. */
const HEAVY = 60;

/** Updates that are made beforehand and sent in turn. */
const MADE = 24;

/** A registration with so many additions by fresh installations, the last of which is signed by somebody else. */
async function registration(additions: number, isGood: boolean): Promise<Uint8Array> {
  const wallet = localWallet();
  const keys = Array.from({ length: additions }, () => new InstallationKey(new Uint8Array(randomBytes(32))));
  const inboxId = deriveInboxId(wallet.identifier, 1n);
  const installation = new InstallationKey(new Uint8Array(randomBytes(32)));
  const base = await createInboxUpdate({ wallet, nonce: 1n, installation, timestampNs: 1n });
  const adds = keys.map(({ publicKey: value }) => ({
    kind: {
      case: "add" as const,
      value: { newMemberIdentifier: { kind: { case: "installationPublicKey" as const, value } } },
    },
  }));
  const [beginning] = base.actions;
  const update: IdentityUpdate = create(IdentityUpdateSchema, { inboxId, clientTimestampNs: 1n, actions: adds });
  if (beginning !== undefined) update.actions.unshift(beginning);
  const text = identityUpdateText(update);
  const bytes = await wallet.signMessage(text);
  const byWallet = create(SignatureSchema, { signature: { case: "erc191", value: { bytes } } });
  for (const [index, { kind }] of update.actions.entries()) {
    if (kind.case === "createInbox") kind.value.initialIdentifierSignature = byWallet;
    const key = keys[index - 1];
    if (kind.case !== "add" || key === undefined) continue;
    const signature = key.sign(text);
    if (!isGood && index === keys.length) signature[40] = (signature[40] ?? 0) ^ 1;
    kind.value.existingMemberSignature = byWallet;
    const value = { bytes: signature, publicKey: key.publicKey };
    kind.value.newMemberSignature = create(SignatureSchema, { signature: { case: "installationKey", value } });
  }
  const message = create(PublishIdentityUpdateRequestSchema, { identityUpdate: update });
  return grpcFrame(toBinary(PublishIdentityUpdateRequestSchema, message));
}

/** Updates in turn: signing each anew would keep the attacker busier than the node. */
async function heavy(isGood: boolean): Promise<(count: number) => Uint8Array> {
  const made: Uint8Array[] = [];
  while (made.length < MADE) made.push(await registration(HEAVY, isGood));
  return (count) => made[count % MADE] ?? new Uint8Array();
}

/** A registration whose signature is some other bytes each time: cheap to make, and each must be verified. */
async function junk(): Promise<() => Uint8Array> {
  const base = await registration(0, true);
  return () => {
    const bytes = Buffer.from(base);
    randomBytes(16).copy(bytes, bytes.length - 40);
    return bytes;
  };
}

/** Attacks by what must be verified. */
export function identityAttacks(): Attack[] {
  const path = PUBLISH_IDENTITY;
  return [
    flood("identity updates, bad and heavy", { lanes: 16, path, bodies: () => heavy(false) }),
    flood("identity updates, good and heavy", { lanes: 16, path, bodies: () => heavy(true) }),
    flood("identity updates, junk registrations", { lanes: 16, path, bodies: junk }),
    flood("identity updates, many addresses", { lanes: 64, path, bodies: junk, addresses: MANY }),
  ];
}
