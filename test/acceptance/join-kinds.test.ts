import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "@latchkey/mls";
import { toBase64Url } from "@latchkey/xmtp";
import { joinByExternalCommit } from "../../packages/client/src/join/join.ts";
import { registerJoinKind } from "../../packages/client/src/join/kinds.ts";
import { epochOf, failsWith, World } from "./support.ts";

/** Field 2 of the oneof, which no proposal has taken yet. */
const MADE_UP_VERSION = 2;
const MADE_UP_TAG = 8 * MADE_UP_VERSION + 2;

/** A payload of the made-up version: the one of version 1 with every bit of it turned over. */
function turnedOver(payload: Uint8Array): Uint8Array {
  return payload.map((byte) => byte ^ 0xff);
}

test("a second payload version is joined by the kind that is registered for it, as bytes and as a link", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const { payload } = await adminGroup.invites.create();
  const inner = turnedOver(payload);
  const madeUp = concatBytes(Uint8Array.of(MADE_UP_TAG, inner.length), inner);
  const links = [`https://example.org/i#${toBase64Url(madeUp)}`, `latchkey:${toBase64Url(madeUp)}`];
  const joiners = [await world.device("one"), await world.device("two"), await world.device("three")];
  for (const invite of [madeUp, ...links]) {
    await failsWith(joiners[0]?.client.conversations.joinByInvite(invite) ?? Promise.resolve(), "INVITE_MALFORMED");
  }

  const forget = registerJoinKind({
    version: MADE_UP_VERSION,
    join: (context, bytes, options) => joinByExternalCommit(context, turnedOver(bytes.subarray(2)), options),
  });
  t.after(forget);
  for (const [index, invite] of [madeUp, ...links].entries()) {
    const joined = await joiners[index]?.client.conversations.joinByInvite(invite);
    await adminGroup.sync();
    assert.deepEqual(joined && epochOf(joined.group), epochOf(adminGroup));
  }
  assert.equal(adminGroup.invites.joins().length, 3);

  forget();
  const late = await world.device("late");
  await failsWith(late.client.conversations.joinByInvite(madeUp), "INVITE_MALFORMED");
  await late.client.conversations.joinByInvite(payload);
});
