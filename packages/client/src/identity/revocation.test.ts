import assert from "node:assert/strict";
import { test } from "node:test";
import { AssociationState, identifierKey, type Identifier, type InboxMember } from "@latchkey/xmtp";
import { revocationOf } from "./revocation.ts";

const address = (name: string): Identifier => ({ kind: "ethereum", value: name });
const device = (digit: string): Identifier => ({ kind: "installation", value: digit.repeat(64) });

const RECOVERY = address("recovery");

/** An inbox whose members were added by the ones behind them. */
function inbox(...members: readonly (readonly [Identifier, Identifier?])[]): AssociationState {
  const rows = members.map(([identifier, addedBy]): [string, InboxMember] => [
    identifierKey(identifier),
    { identifier, addedBy, clientTimestampNs: undefined, chainId: undefined },
  ]);
  return new AssociationState({
    inboxId: "ab".repeat(32),
    members: new Map(rows),
    recoveryIdentifier: { kind: "ethereum", value: RECOVERY.value },
    seenSignatures: new Set(),
    updateCount: 1,
    byteLength: 1,
    signatureCount: 1,
  });
}

/** As `id because by`, shortened. */
function shown(state: AssociationState, asked: readonly Identifier[], keep?: readonly string[]): string[] {
  return revocationOf(state, asked, keep).map(({ id, because, by }) =>
    [id.slice(0, 8), because, ...(by === undefined ? [] : [by.slice(0, 8)])].join(" "),
  );
}

const [phone, tablet, laptop, thief] = [device("a"), device("b"), device("c"), device("d")];

test("DEV-13 a device goes with the address that only it has, and with whatever that and it added", () => {
  const state = inbox(
    [RECOVERY],
    [phone, RECOVERY],
    [address("tablet's"), phone],
    [tablet, address("tablet's")],
    [address("thief's"), tablet],
    [thief, address("thief's")],
    [address("prepared"), address("thief's")],
  );
  assert.deepEqual(shown(state, [tablet]), [
    "bbbbbbbb asked",
    "thief's added bbbbbbbb",
    "dddddddd added thief's",
    "prepared added thief's",
    "tablet's held bbbbbbbb",
  ]);
});

test("an address that another device came in with stays, until that one is revoked as well", () => {
  const wallet = address("wallet");
  const state = inbox([RECOVERY], [phone, RECOVERY], [wallet, phone], [tablet, wallet], [laptop, wallet]);
  assert.deepEqual(shown(state, [tablet]), ["bbbbbbbb asked"]);
  assert.deepEqual(shown(state, [tablet, laptop]), ["bbbbbbbb asked", "cccccccc asked", "wallet held cccccccc"]);
});

test("a device that is kept stays with the address it came in by, although a revoked one added that", () => {
  const state = inbox([RECOVERY], [phone, RECOVERY], [address("laptop's"), phone], [laptop, address("laptop's")]);
  assert.deepEqual(shown(state, [phone]), ["aaaaaaaa asked", "laptop's added aaaaaaaa", "cccccccc added laptop's"]);
  assert.deepEqual(shown(state, [phone], [laptop.value]), ["aaaaaaaa asked"]);
});

test("the recovery identifier goes when it is named only, and who is no member is passed by", () => {
  const state = inbox([RECOVERY], [phone, RECOVERY]);
  assert.deepEqual(shown(state, [phone]), ["aaaaaaaa asked"]);
  assert.deepEqual(shown(state, [RECOVERY]), ["recovery asked", "aaaaaaaa added recovery"]);
  assert.deepEqual(shown(state, [thief]), []);
});

test("members that added each other in a circle end", () => {
  const [one, other] = [address("one"), address("other")];
  const state = inbox([RECOVERY], [one, other], [other, one]);
  assert.deepEqual(shown(state, [one]), ["one asked", "other added one"]);
});
