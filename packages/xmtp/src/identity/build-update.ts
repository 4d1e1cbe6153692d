import { create } from "@bufbuild/protobuf";
import { fromHex } from "@latchkey/mls";
import { IdentityError } from "../errors.ts";
import {
  IdentifierKind,
  IdentityUpdateSchema,
  SignatureSchema,
  type IdentityUpdate,
  type Signature,
} from "../proto.ts";
import type { WalletSigner } from "./eip191.ts";
import {
  deriveInboxId,
  ethereumIdentifier,
  installationIdentifier,
  memberIdentifierInit,
  type Identifier,
} from "./identifier.ts";
import type { InstallationKey } from "./installation-key.ts";
import { identityUpdateText } from "./signature-text.ts";

async function walletSignature(wallet: WalletSigner, text: string): Promise<Signature> {
  const bytes = await wallet.signMessage(text);
  if (bytes.length !== 65) {
    throw new IdentityError("IDENTITY_BAD_SIGNATURE", `the wallet gave a signature of ${bytes.length} bytes, not 65`);
  }
  return create(SignatureSchema, { signature: { case: "erc191", value: { bytes } } });
}

function installationSignature(installation: InstallationKey, text: string): Signature {
  const value = { bytes: installation.sign(text), publicKey: installation.publicKey };
  return create(SignatureSchema, { signature: { case: "installationKey", value } });
}

function addAction(installation: InstallationKey, signatures?: { wallet: Signature; installation: Signature }) {
  const newMemberIdentifier = memberIdentifierInit(installationIdentifier(installation.publicKey));
  return {
    kind: {
      case: "add" as const,
      value: {
        newMemberIdentifier,
        ...(signatures === undefined
          ? {}
          : { existingMemberSignature: signatures.wallet, newMemberSignature: signatures.installation }),
      },
    },
  };
}

/**
 * The first update of an inbox: creates it for the wallet and admits the installation, with one wallet signature for
 * both (XIP-46). The inbox id follows from the wallet and the nonce.
 */
export async function createInboxUpdate(options: {
  wallet: WalletSigner;
  nonce: bigint;
  installation: InstallationKey;
  timestampNs: bigint;
}): Promise<IdentityUpdate> {
  const { wallet, nonce, installation, timestampNs } = options;
  const initialIdentifier = ethereumIdentifier(wallet.identifier).value;
  const inbox = { initialIdentifier, nonce, initialIdentifierKind: IdentifierKind.ETHEREUM };
  const header = { inboxId: deriveInboxId(initialIdentifier, nonce), clientTimestampNs: timestampNs };
  const unsigned = { kind: { case: "createInbox" as const, value: inbox } };
  const text = identityUpdateText(
    create(IdentityUpdateSchema, { ...header, actions: [unsigned, addAction(installation)] }),
  );
  const signature = await walletSignature(wallet, text);
  const createAction = {
    kind: { case: "createInbox" as const, value: { ...inbox, initialIdentifierSignature: signature } },
  };
  const add = addAction(installation, { wallet: signature, installation: installationSignature(installation, text) });
  return create(IdentityUpdateSchema, { ...header, actions: [createAction, add] });
}

/** Admits a further installation to an inbox. */
export async function addInstallationUpdate(options: {
  wallet: WalletSigner;
  inboxId: string;
  installation: InstallationKey;
  timestampNs: bigint;
}): Promise<IdentityUpdate> {
  const { wallet, inboxId, installation, timestampNs } = options;
  const header = { inboxId, clientTimestampNs: timestampNs };
  const text = identityUpdateText(create(IdentityUpdateSchema, { ...header, actions: [addAction(installation)] }));
  const signatures = {
    wallet: await walletSignature(wallet, text),
    installation: installationSignature(installation, text),
  };
  return create(IdentityUpdateSchema, { ...header, actions: [addAction(installation, signatures)] });
}

/** Revokes an installation, given by its id in hex; the wallet must be the recovery identifier. */
export function revokeInstallationUpdate(options: {
  wallet: WalletSigner;
  inboxId: string;
  installationId: string;
  timestampNs: bigint;
}): Promise<IdentityUpdate> {
  const { installationId, ...rest } = options;
  return revokeMembersUpdate({ ...rest, members: [installationIdentifier(fromHex(installationId))] });
}

/**
 * Revokes members of an inbox, with one signature for all; the wallet must be the recovery identifier. With an address
 * go the installations that it added, and nothing else (XIP-46).
 */
export async function revokeMembersUpdate(options: {
  wallet: WalletSigner;
  inboxId: string;
  members: readonly Identifier[];
  timestampNs: bigint;
}): Promise<IdentityUpdate> {
  const { wallet, inboxId, members, timestampNs } = options;
  const header = { inboxId, clientTimestampNs: timestampNs };
  const revoke = (member: Identifier, recoveryIdentifierSignature?: Signature) => ({
    kind: {
      case: "revoke" as const,
      value: {
        memberToRevoke: memberIdentifierInit(member),
        ...(recoveryIdentifierSignature && { recoveryIdentifierSignature }),
      },
    },
  });
  const actions = members.map((member) => revoke(member));
  const text = identityUpdateText(create(IdentityUpdateSchema, { ...header, actions }));
  const signature = await walletSignature(wallet, text);
  return create(IdentityUpdateSchema, { ...header, actions: members.map((member) => revoke(member, signature)) });
}

/** Adds the address of a wallet to an inbox, by one of its installations and with the wallet's own signature. */
export async function addAccountUpdate(options: {
  installation: InstallationKey;
  wallet: WalletSigner;
  inboxId: string;
  timestampNs: bigint;
}): Promise<IdentityUpdate> {
  const { installation, wallet, inboxId, timestampNs } = options;
  const header = { inboxId, clientTimestampNs: timestampNs };
  const newMemberIdentifier = memberIdentifierInit(ethereumIdentifier(wallet.identifier));
  const add = (signatures = {}) => ({ kind: { case: "add" as const, value: { newMemberIdentifier, ...signatures } } });
  const text = identityUpdateText(create(IdentityUpdateSchema, { ...header, actions: [add()] }));
  const signatures = {
    existingMemberSignature: installationSignature(installation, text),
    newMemberSignature: await walletSignature(wallet, text),
  };
  return create(IdentityUpdateSchema, { ...header, actions: [add(signatures)] });
}

/** Hands the recovery of an inbox to another address; the wallet must be the present recovery identifier. */
export async function changeRecoveryUpdate(options: {
  wallet: WalletSigner;
  inboxId: string;
  recoveryIdentifier: string;
  timestampNs: bigint;
}): Promise<IdentityUpdate> {
  const { wallet, inboxId, recoveryIdentifier, timestampNs } = options;
  const header = { inboxId, clientTimestampNs: timestampNs };
  const change = {
    newRecoveryIdentifier: ethereumIdentifier(recoveryIdentifier).value,
    newRecoveryIdentifierKind: IdentifierKind.ETHEREUM,
  };
  const unsigned = { kind: { case: "changeRecoveryAddress" as const, value: change } };
  const text = identityUpdateText(create(IdentityUpdateSchema, { ...header, actions: [unsigned] }));
  const existingRecoveryIdentifierSignature = await walletSignature(wallet, text);
  const value = { ...change, existingRecoveryIdentifierSignature };
  return create(IdentityUpdateSchema, {
    ...header,
    actions: [{ kind: { case: "changeRecoveryAddress" as const, value } }],
  });
}
