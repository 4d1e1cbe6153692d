import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clone, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { XMTP_LIMITS } from "../limits.ts";
import { IdentifierKind, IdentityUpdateSchema, SignatureSchema, type IdentityUpdate } from "../proto.ts";
import { present, seed, TEST_TIME_NS, testInbox } from "../testing/inboxes.ts";
import { applyIdentityUpdate, applyVerifiedUpdate, replayIdentityLog, sizeWith } from "./apply-update.ts";
import type { AssociationState } from "./association-state.ts";
import { addInstallationUpdate, createInboxUpdate, revokeInstallationUpdate } from "./build-update.ts";
import { localWallet } from "./eip191.ts";
import { deriveInboxId, type Identifier, type RootIdentifier } from "./identifier.ts";
import { InstallationKey } from "./installation-key.ts";
import { identityUpdateText } from "./signature-text.ts";
import type { SignatureKind, VerifiedSignature } from "./signature.ts";
import { verifyIdentityUpdate, type VerifiedAction, type VerifiedIdentityUpdate } from "./verify-update.ts";

const ALICE: RootIdentifier = { kind: "ethereum", value: `0x${"a1".repeat(20)}` };
const BOB: RootIdentifier = { kind: "ethereum", value: `0x${"b0".repeat(20)}` };
const PHONE: Identifier = { kind: "installation", value: "11".repeat(32) };
const LAPTOP: Identifier = { kind: "installation", value: "22".repeat(32) };
const INBOX = deriveInboxId(ALICE.value, 0n);

let signatures = 0;

/** A signature that verified; each one is different from all others. */
function by(signer: Identifier, kind?: SignatureKind, chainId?: bigint): VerifiedSignature {
  signatures++;
  const usual = signer.kind === "installation" ? "installation_key" : "erc_191";
  return { signer, kind: kind ?? usual, seen: `signature ${signatures}`, chainId };
}

function update(actions: readonly VerifiedAction[], inboxId = INBOX): VerifiedIdentityUpdate {
  return { inboxId, clientTimestampNs: TEST_TIME_NS, actions, byteLength: 100, signatureCount: 2 };
}

function creation(signature = by(ALICE), nonce = 0n): VerifiedAction {
  return { kind: "create_inbox", initial: ALICE, nonce, by: signature };
}

function add(member: Identifier, existing: VerifiedSignature = by(ALICE), added = by(member)): VerifiedAction {
  return { kind: "add", member, existing, added };
}

function apply(state: AssociationState | undefined, ...actions: VerifiedAction[]): AssociationState {
  return applyVerifiedUpdate(state, update(actions));
}

const created = () => apply(undefined, creation(), add(PHONE));

/** The name of each rule, by the code of its breach. */
const RULE: Record<string, string> = {
  IDENTITY_MALFORMED: "MalformedUpdate",
  IDENTITY_TOO_MANY_UPDATES: "TooManyUpdates",
  IDENTITY_LOG_TOO_LARGE: "LogTooLarge",
  IDENTITY_BAD_SIGNATURE: "InvalidSignature",
  IDENTITY_UNSUPPORTED_SIGNATURE: "UnsupportedSignature",
  IDENTITY_MULTIPLE_CREATE: "MultipleCreate",
  IDENTITY_NOT_CREATED: "NotCreated",
  IDENTITY_REPLAY: "Replay",
  IDENTITY_NEW_MEMBER_MISMATCH: "NewMemberIdSignatureMismatch",
  IDENTITY_SELF_ADD: "SelfAdd",
  IDENTITY_LEGACY_REUSE: "LegacySignatureReuse",
  IDENTITY_SIGNATURE_NOT_ALLOWED: "SignatureNotAllowed",
  IDENTITY_CHAIN_ID_MISMATCH: "ChainIdMismatch",
  IDENTITY_MISSING_EXISTING_MEMBER: "MissingExistingMember",
  IDENTITY_MEMBER_NOT_ALLOWED: "MemberNotAllowed",
  IDENTITY_WRONG_INBOX_ID: "WrongInboxId",
};

function expectCode(code: string, run: () => unknown): void {
  assert.throws(run, { name: "IdentityError", code, rule: RULE[code] });
}

describe("identity updates, real signatures", () => {
  test("an inbox is created with its first installation, and replays from its bytes to the same state", async () => {
    const { inboxId, keys, log, states } = await testInbox(1, 2);
    const stored = log.map((entry) => fromBinary(IdentityUpdateSchema, toBinary(IdentityUpdateSchema, entry)));
    const state = present(replayIdentityLog(stored));
    assert.equal(state.inboxId, inboxId);
    assert.deepEqual(
      state.installations(),
      keys.map(({ id }) => id),
    );
    assert.deepEqual(state, states.at(-1));
    assert.equal(replayIdentityLog([]), undefined);
  });

  test("a revoked installation is gone from the state and stays in the earlier one", async () => {
    const { keys, states } = await testInbox(2, 2, 0);
    assert.deepEqual(present(states[2]).installations(), [keys[1]?.id]);
    assert.equal(present(states[1]).hasInstallation(present(keys[0]).id), true);
  });

  test("the recovery identifier is changed by its wallet's signature over the update's text", async () => {
    const { wallet, inboxId, states } = await testInbox(5);
    const value = { newRecoveryIdentifier: ALICE.value, newRecoveryIdentifierKind: IdentifierKind.ETHEREUM };
    const header = { inboxId, clientTimestampNs: TEST_TIME_NS };
    const unsigned = create(IdentityUpdateSchema, {
      ...header,
      actions: [{ kind: { case: "changeRecoveryAddress", value } }],
    });
    const bytes = await wallet.signMessage(identityUpdateText(unsigned));
    const signature = create(SignatureSchema, { signature: { case: "erc191", value: { bytes } } });
    const signed = { ...value, existingRecoveryIdentifierSignature: signature };
    const actions = [{ kind: { case: "changeRecoveryAddress" as const, value: signed } }];
    const state = applyIdentityUpdate(states[0], create(IdentityUpdateSchema, { ...header, actions }));
    assert.deepEqual(state.recoveryIdentifier, ALICE);
  });

  test("IDENTITY_BAD_SIGNATURE: an update changed after signing is refused", async () => {
    const original = await createInboxUpdate({
      wallet: localWallet(seed(1)),
      nonce: 1n,
      installation: new InstallationKey(seed(2)),
      timestampNs: TEST_TIME_NS,
    });
    const changed = clone(IdentityUpdateSchema, original);
    changed.clientTimestampNs += 1_000_000_000n;
    expectCode("IDENTITY_BAD_SIGNATURE", () => applyIdentityUpdate(undefined, changed));
  });

  test("IDENTITY_MISSING_EXISTING_MEMBER: somebody else cannot add an installation", async () => {
    const { inboxId, states } = await testInbox(3);
    const stranger = await addInstallationUpdate({
      wallet: localWallet(seed(99)),
      inboxId,
      installation: new InstallationKey(seed(98)),
      timestampNs: TEST_TIME_NS,
    });
    expectCode("IDENTITY_MISSING_EXISTING_MEMBER", () => applyIdentityUpdate(states[0], stranger));
  });

  test("IDENTITY_REPLAY: an addition cannot be played again after its member was revoked", async () => {
    const { wallet, inboxId, log, states, keys } = await testInbox(4, 2);
    const revoke = { wallet, inboxId, installationId: present(keys[1]).id, timestampNs: TEST_TIME_NS };
    const revoked = applyIdentityUpdate(states[1], await revokeInstallationUpdate(revoke));
    expectCode("IDENTITY_REPLAY", () => applyIdentityUpdate(revoked, present(log[1])));
  });

  test("IDENTITY_UNSUPPORTED_SIGNATURE: smart-contract wallets are refused by name, for want of a chain", () => {
    const { signature } = create(SignatureSchema, { signature: { case: "erc6492", value: {} } });
    const value = { initialIdentifier: ALICE.value, initialIdentifierSignature: { signature } };
    const actions = [{ kind: { case: "createInbox" as const, value } }];
    const message = create(IdentityUpdateSchema, { inboxId: INBOX, actions });
    expectCode("IDENTITY_UNSUPPORTED_SIGNATURE", () => verifyIdentityUpdate(message));
  });

  test("IDENTITY_MALFORMED: too many actions, an empty action, no signature, an unknown member, too many bytes", () => {
    const value = { initialIdentifier: ALICE.value };
    const unsigned = { kind: { case: "createInbox" as const, value } };
    const many = (count: number) => Array.from({ length: count }, () => unsigned);
    const long = {
      kind: {
        case: "createInbox" as const,
        value: { ...value, relyingParty: "x".repeat(XMTP_LIMITS.maxIdentityUpdateBytes) },
      },
    };
    const cases: [RegExp, IdentityUpdate][] = [
      [
        /513 actions/,
        create(IdentityUpdateSchema, { inboxId: INBOX, actions: many(XMTP_LIMITS.maxIdentityActions + 1) }),
      ],
      [/signature/, create(IdentityUpdateSchema, { inboxId: INBOX, actions: many(XMTP_LIMITS.maxIdentityActions) })],
      [/unknown kind/, create(IdentityUpdateSchema, { inboxId: INBOX, actions: [{}] })],
      [/signature/, create(IdentityUpdateSchema, { inboxId: INBOX, actions: [unsigned] })],
      [/./, create(IdentityUpdateSchema, { inboxId: INBOX, actions: [{ kind: { case: "add", value: {} } }] })],
      [/bytes/, create(IdentityUpdateSchema, { inboxId: INBOX, actions: [long] })],
    ];
    for (const [message, malformed] of cases) {
      const refusal = { name: "IdentityError", code: "IDENTITY_MALFORMED", message };
      assert.throws(() => verifyIdentityUpdate(malformed), refusal);
    }
  });
});

describe("association state, rule by rule", () => {
  test("the initial identifier becomes member and recovery identifier", () => {
    const state = created();
    assert.deepEqual(state.recoveryIdentifier, ALICE);
    assert.deepEqual(state.member(PHONE)?.addedBy, ALICE);
    assert.deepEqual(state.installations(), [PHONE.value]);
  });

  test("IDENTITY_MULTIPLE_CREATE: an inbox is created once", () => {
    expectCode("IDENTITY_MULTIPLE_CREATE", () => apply(created(), creation()));
  });

  test("IDENTITY_NOT_CREATED: nothing comes before the creation", () => {
    expectCode("IDENTITY_NOT_CREATED", () => apply(undefined, add(PHONE)));
    expectCode("IDENTITY_NOT_CREATED", () => apply(undefined));
  });

  test("IDENTITY_MISSING_EXISTING_MEMBER: creation, additions and revocations need the right signer", () => {
    const code = "IDENTITY_MISSING_EXISTING_MEMBER";
    expectCode(code, () => apply(undefined, creation(by(BOB))));
    expectCode(code, () => apply(created(), add(LAPTOP, by(BOB))));
    expectCode(code, () => apply(created(), { kind: "revoke", member: PHONE, by: by(PHONE) }));
    expectCode(code, () => apply(created(), { kind: "change_recovery", recovery: BOB, by: by(BOB) }));
  });

  test("IDENTITY_LEGACY_REUSE: V2 keys work in the inbox of nonce 0 only, and never for recovery", () => {
    const code = "IDENTITY_LEGACY_REUSE";
    const legacy = (signer: Identifier) => by(signer, "delegated_erc_191");
    const inboxId = deriveInboxId(ALICE.value, 1n);
    expectCode(code, () => applyVerifiedUpdate(undefined, update([creation(legacy(ALICE), 1n)], inboxId)));
    const other = applyVerifiedUpdate(undefined, update([creation(by(ALICE), 1n)], inboxId));
    expectCode(code, () => applyVerifiedUpdate(other, update([add(PHONE, legacy(ALICE))], inboxId)));
    const withoutAlice = apply(created(), { kind: "revoke", member: ALICE, by: by(ALICE) });
    expectCode(code, () => apply(withoutAlice, add(LAPTOP, legacy(ALICE))));
    assert.equal(apply(undefined, creation(legacy(ALICE))).inboxId, INBOX);
  });

  test("IDENTITY_SIGNATURE_NOT_ALLOWED: every kind of member signs in its own way", () => {
    const code = "IDENTITY_SIGNATURE_NOT_ALLOWED";
    expectCode(code, () => apply(undefined, creation(by(ALICE, "passkey"))));
    expectCode(code, () => apply(created(), add(LAPTOP, by(ALICE), by(LAPTOP, "erc_191"))));
    expectCode(code, () => apply(created(), add(BOB, by(PHONE, "erc_191"))));
    expectCode(code, () => apply(created(), { kind: "revoke", member: PHONE, by: by(ALICE, "delegated_erc_191") }));
  });

  test("IDENTITY_REPLAY: a signature counts once, in whatever action it comes back", () => {
    const used = by(ALICE);
    const state = apply(created(), add(LAPTOP, used));
    expectCode("IDENTITY_REPLAY", () => apply(state, add(BOB, used)));
    expectCode("IDENTITY_REPLAY", () => apply(state, { kind: "revoke", member: LAPTOP, by: used }));
    expectCode("IDENTITY_REPLAY", () => apply(state, { kind: "change_recovery", recovery: BOB, by: used }));
  });

  test("one signature may serve several actions of the same update", () => {
    const used = by(ALICE);
    assert.deepEqual(apply(undefined, creation(used), add(PHONE, used)).installations(), [PHONE.value]);
  });

  test("IDENTITY_NEW_MEMBER_MISMATCH: a new member signs for itself", () => {
    expectCode("IDENTITY_NEW_MEMBER_MISMATCH", () => apply(created(), add(LAPTOP, by(ALICE), by(PHONE))));
  });

  test("IDENTITY_SELF_ADD: nobody adds itself", () => {
    expectCode("IDENTITY_SELF_ADD", () => apply(created(), add(ALICE)));
  });

  test("IDENTITY_MEMBER_NOT_ALLOWED: an installation cannot add an installation, but can add a wallet", () => {
    expectCode("IDENTITY_MEMBER_NOT_ALLOWED", () => apply(created(), add(LAPTOP, by(PHONE))));
    assert.deepEqual(apply(created(), add(BOB, by(PHONE))).member(BOB)?.addedBy, PHONE);
  });

  test("IDENTITY_CHAIN_ID_MISMATCH: a smart-contract wallet stays on the chain it came in on", () => {
    const code = "IDENTITY_CHAIN_ID_MISMATCH";
    const state = apply(undefined, creation(by(ALICE, "erc_6492", 1n)));
    expectCode(code, () => apply(state, add(PHONE, by(ALICE, "erc_6492", 5n))));
    expectCode(code, () => apply(state, { kind: "revoke", member: PHONE, by: by(ALICE) }));
    assert.equal(apply(state, add(PHONE, by(ALICE, "erc_6492", 1n))).hasInstallation(PHONE.value), true);
  });

  test("IDENTITY_WRONG_INBOX_ID: an update names the inbox it leads to", () => {
    expectCode("IDENTITY_WRONG_INBOX_ID", () => applyVerifiedUpdate(undefined, update([creation()], "00".repeat(32))));
  });

  test("IDENTITY_TOO_MANY_UPDATES: the 257th update is refused, whatever it says", () => {
    let state = created();
    while (state.updateCount < XMTP_LIMITS.maxIdentityUpdates) {
      state = apply(state, { kind: "revoke", member: LAPTOP, by: by(ALICE) });
    }
    expectCode("IDENTITY_TOO_MANY_UPDATES", () => apply(state, add(LAPTOP)));
  });

  test("IDENTITY_LOG_TOO_LARGE: the log of an inbox has at most 4 MiB and 1 024 signatures, before one is verified", () => {
    const next = (state: AssociationState, size: { byteLength?: number; signatureCount?: number }) =>
      applyVerifiedUpdate(state, { ...update([]), byteLength: 0, signatureCount: 0, ...size });
    const state = created();
    const { maxIdentityLogBytes, maxIdentitySignatures } = XMTP_LIMITS;
    for (const [field, most] of [
      ["byteLength", maxIdentityLogBytes],
      ["signatureCount", maxIdentitySignatures],
    ] as const) {
      const full = next(state, { [field]: most - state[field] });
      assert.equal(full[field], most);
      assert.equal(next(full, {}).updateCount, 3);
      expectCode("IDENTITY_LOG_TOO_LARGE", () => next(full, { [field]: 1 }));
      assert.throws(() => sizeWith(full, { byteLength: 0, signatureCount: 0, [field]: 1 }), { rule: "LogTooLarge" });
    }
  });

  test("updates are counted one by one", () => {
    const first = created();
    assert.equal(first.updateCount, 1);
    assert.equal(apply(first, add(LAPTOP)).updateCount, 2);
  });

  test("revoking a wallet leaves the wallets it added", () => {
    const state = apply(created(), add(BOB));
    const revoked = apply(state, { kind: "revoke", member: ALICE, by: by(ALICE) });
    assert.ok(revoked.member(BOB) !== undefined);
    assert.equal(revoked.member(PHONE), undefined);
  });

  test("revoking a wallet takes the installations it added along, and nothing else", () => {
    const withBob = apply(created(), add(BOB), add(LAPTOP, by(BOB)));
    const state = apply(withBob, { kind: "revoke", member: BOB, by: by(ALICE) });
    assert.deepEqual(state.installations(), [PHONE.value]);
    assert.equal(state.member(BOB), undefined);
    assert.deepEqual(apply(state, { kind: "revoke", member: BOB, by: by(ALICE) }).installations(), [PHONE.value]);
  });

  test("a changed recovery identifier can revoke and add, the old one cannot revoke any more", () => {
    const state = apply(created(), { kind: "change_recovery", recovery: BOB, by: by(ALICE) });
    assert.equal(state.member(BOB), undefined);
    assert.equal(apply(state, add(LAPTOP, by(BOB))).hasInstallation(LAPTOP.value), true);
    const revoke: VerifiedAction = { kind: "revoke", member: PHONE, by: by(ALICE) };
    expectCode("IDENTITY_MISSING_EXISTING_MEMBER", () => apply(state, revoke));
  });

  test("a refused update leaves the state as it was", () => {
    const state = created();
    const before = structuredClone({ members: state.members, seen: state.seenSignatures });
    assert.throws(() => apply(state, add(LAPTOP), add(BOB, by(BOB))));
    assert.deepEqual({ members: state.members, seen: state.seenSignatures }, before);
  });
});
