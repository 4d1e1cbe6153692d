import { create } from "@bufbuild/protobuf";
import { IdentityUpdateSchema, SignatureSchema, type IdentityUpdate, type Signature } from "../proto.ts";
import { ethereumIdentifier, installationIdentifier, memberIdentifierInit, type Identifier } from "./identifier.ts";
import { identityUpdateText } from "./signature-text.ts";

/** A device that is added by another one without any of its private keys (XIP-46). */
export interface DeviceLink {
  readonly inboxId: string;
  readonly timestampNs: bigint;
  /** Of the new installation, 32 bytes. */
  readonly installationKey: Uint8Array;
  /**
   * Address of a wallet of the new device. XMTP lets an installation add an address, which adds the new installation;
   * undefined where a wallet of the inbox adds the installation itself.
   */
  readonly address: string | undefined;
}

/** Signatures over `deviceLinkText`, as bytes. */
export interface DeviceLinkSignatures {
  /** The new installation's, 64 bytes. */
  readonly installation: Uint8Array;
  /** Of the new device's wallet, 65 bytes, where the link has an address. */
  readonly address?: Uint8Array | undefined;
  /** Who adds: an installation of the inbox (64 bytes and its key) with an address, else a wallet of it (65 bytes). */
  readonly adder: { readonly bytes: Uint8Array; readonly publicKey?: Uint8Array };
}

function added(member: Identifier, existingMemberSignature?: Signature, newMemberSignature?: Signature) {
  const newMemberIdentifier = memberIdentifierInit(member);
  const signatures = existingMemberSignature && newMemberSignature && { existingMemberSignature, newMemberSignature };
  return { kind: { case: "add" as const, value: { newMemberIdentifier, ...signatures } } };
}

const walletSignature = (bytes: Uint8Array): Signature =>
  create(SignatureSchema, { signature: { case: "erc191", value: { bytes } } });
const installationSignature = (bytes: Uint8Array, publicKey: Uint8Array): Signature =>
  create(SignatureSchema, { signature: { case: "installationKey", value: { bytes, publicKey } } });

/** The one text that all of them sign. */
export function deviceLinkText({ inboxId, timestampNs, installationKey, address }: DeviceLink): string {
  const installation = added(installationIdentifier(installationKey));
  const actions = address === undefined ? [installation] : [added(ethereumIdentifier(address)), installation];
  return identityUpdateText(create(IdentityUpdateSchema, { inboxId, clientTimestampNs: timestampNs, actions }));
}

/** The update that adds the device; nothing is verified here. */
export function deviceLinkUpdate(link: DeviceLink, signatures: DeviceLinkSignatures): IdentityUpdate {
  const { inboxId, timestampNs, installationKey, address } = link;
  const { adder } = signatures;
  const newInstallation = installationSignature(signatures.installation, installationKey);
  const existing =
    adder.publicKey === undefined ? walletSignature(adder.bytes) : installationSignature(adder.bytes, adder.publicKey);
  const byWallet = signatures.address === undefined ? undefined : walletSignature(signatures.address);
  const actions =
    address === undefined || byWallet === undefined
      ? [added(installationIdentifier(installationKey), existing, newInstallation)]
      : [
          added(ethereumIdentifier(address), existing, byWallet),
          added(installationIdentifier(installationKey), byWallet, newInstallation),
        ];
  return create(IdentityUpdateSchema, { inboxId, clientTimestampNs: timestampNs, actions });
}
