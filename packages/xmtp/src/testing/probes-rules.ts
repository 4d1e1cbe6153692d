import { create } from "@bufbuild/protobuf";
import { IdentifierKind, IdentityUpdateSchema } from "../proto.ts";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { seed, TEST_TIME_NS } from "./inboxes.ts";
import { ethereumAddress } from "../identity/eip191.ts";
import { deriveInboxId, type Identifier } from "../identity/identifier.ts";
import { InstallationKey } from "../identity/installation-key.ts";
import {
  add,
  addInstallation,
  byInstallation,
  byWallet,
  changeRecovery,
  createInbox,
  created,
  INBOX,
  INSTALLATION,
  installation,
  NONCE,
  revoke,
  update,
  WALLET,
  wallet,
  walletBytes,
  type Act,
  type Probe,
} from "./probe-kit.ts";

const MIXED_CASE = `0x${WALLET.value.slice(2).toUpperCase()}`;
const odd = (kind: Identifier["kind"], value: string): Identifier => ({ kind, value });

function later(title: string, holds: boolean, ...acts: Act[]): Probe {
  return { title: `rules: ${title}`, log: [created(addInstallation), update(INBOX, acts)], holds };
}

/** Further additions of installations, each signed by itself and all by one signature of the wallet. */
function many(count: number): Act[] {
  return Array.from({ length: count }, (_, index) => {
    const key = new InstallationKey(seed(600 + index));
    return add(odd("installation", key.id), (text) => installation(key.publicKey, key.sign(text)));
  });
}

/** Logs whose signatures all hold, at the borders of the inbox's rules. */
export function ruleProbes(): Probe[] {
  const other = new InstallationKey(seed(520));
  const otherWallet = (text: string) => wallet(walletBytes(text, seed(521)));
  const unknownKind = (kind: number): Act => {
    const act = createInbox(byWallet);
    return (text) => {
      const { kind: filled } = act(text);
      if (filled?.case !== "createInbox") throw new Error("this probe creates an inbox");
      return {
        kind: { case: "createInbox", value: { ...filled.value, initialIdentifierKind: kind as IdentifierKind } },
      };
    };
  };
  return [
    {
      title: "rules: created in upper case",
      log: [update(INBOX, [createInbox(byWallet, WALLET, { text: MIXED_CASE })])],
      holds: false,
    },
    { title: "rules: created with an unknown kind of identifier", log: [update(INBOX, [unknownKind(9)])], holds: true },
    {
      title: "rules: created for another inbox",
      log: [update(deriveInboxId(WALLET.value, 7n), [createInbox(byWallet)])],
      holds: false,
    },
    { title: "rules: created twice", log: [created(createInbox(byWallet))], holds: false },
    {
      title: "rules: nothing, then created",
      log: [create(IdentityUpdateSchema, { inboxId: INBOX, clientTimestampNs: TEST_TIME_NS }), created()],
      holds: false,
    },
    { title: "rules: time beyond 2^63", log: [update(INBOX, [createInbox(byWallet)], 2n ** 63n + 5n)], holds: true },
    { title: "rules: time 2^64 - 1", log: [update(INBOX, [createInbox(byWallet)], 2n ** 64n - 1n)], holds: true },
    {
      title: "rules: the largest nonce",
      log: [
        update(deriveInboxId(WALLET.value, 2n ** 64n - 1n), [createInbox(byWallet, WALLET, { nonce: 2n ** 64n - 1n })]),
      ],
      holds: true,
    },
    later("nothing", true),
    later("revokes the wallet in upper case", true, revoke(odd("ethereum", MIXED_CASE))),
    later("revokes a text", true, revoke(odd("ethereum", "nobody"))),
    later("revokes an installation of 5 bytes", true, revoke(odd("installation", "0102030405"))),
    later("revokes an installation of 0 bytes", true, revoke(odd("installation", ""))),
    later("revokes a passkey of 3 bytes", true, revoke(odd("passkey", "010203"))),
    later(
      "revokes itself and adds by recovery",
      true,
      revoke(WALLET),
      add(odd("installation", other.id), (text) => installation(other.publicKey, other.sign(text))),
    ),
    later("recovery in upper case", true, changeRecovery(MIXED_CASE)),
    later("recovery to a text", true, changeRecovery("hello\nworld")),
    later("recovery to a text that begins with U+FEFF", true, changeRecovery("\ufeffx")),
    later("recovery to no text", true, changeRecovery("")),
    later("recovery to a passkey of 2 bytes", true, changeRecovery("AbCd", IdentifierKind.PASSKEY)),
    later("recovery to a passkey that is not hex", false, changeRecovery("xyz", IdentifierKind.PASSKEY)),
    later("recovery to a passkey of half a byte", false, changeRecovery("abc", IdentifierKind.PASSKEY)),
    later("a member is added again", true, addInstallation),
    later(
      "an installation adds an installation",
      false,
      add(odd("installation", other.id), (text) => installation(other.publicKey, other.sign(text)), byInstallation),
    ),
    later(
      "an installation adds a wallet",
      true,
      add(odd("ethereum", ethereumAddress(secp256k1.getPublicKey(seed(521), false))), otherWallet, byInstallation),
    ),
    later("an installation revokes", false, revoke(odd("installation", INSTALLATION.id), byInstallation)),
    later("a wallet is added in upper case", false, add(odd("ethereum", MIXED_CASE), byWallet, byInstallation)),
    later("a stranger revokes", false, revoke(WALLET, otherWallet)),
    later("40 installations at once", true, ...many(40)),
    later(
      "300 revocations at once",
      true,
      ...Array.from({ length: 300 }, () => revoke(odd("installation", INSTALLATION.id))),
    ),
    {
      title: "rules: recovery in upper case, then revokes",
      log: [created(), update(INBOX, [changeRecovery(MIXED_CASE)]), update(INBOX, [revoke(WALLET)])],
      holds: false,
    },
    { title: "rules: nothing twice", log: [created(), update(INBOX, []), update(INBOX, [])], holds: true },
    {
      title: "rules: the largest log of updates",
      log: [created(), ...Array.from({ length: 255 }, () => update(INBOX, []))],
      holds: true,
    },
    {
      title: `rules: nonce ${NONCE} for the inbox of nonce 0`,
      log: [update(deriveInboxId(WALLET.value, 0n), [createInbox(byWallet)])],
      holds: false,
    },
  ];
}
