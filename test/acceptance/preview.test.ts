import assert from "node:assert/strict";
import { test } from "node:test";
import { httpSlots, inviteEndOf, previewInvite, systemClock, type SlotService } from "@latchkey/client";
import { readQrFromImage } from "@latchkey/client/node";
import { nodeCrypto } from "@latchkey/mls/node";
import { failsWith, World } from "./support.ts";

test("DOR-06 an invite is looked at without client or inbox: one look at the slot, and nothing else is asked", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  await adminGroup.updateImageUrl("https://pictures.example/circle.png");
  const invite = await adminGroup.createInvite({ maxUses: 3 });
  const asked: string[] = [];
  const slots: SlotService = {
    ...httpSlots,
    fetch: async (slot, options) => {
      asked.push(slot.serviceUrl);
      return httpSlots.fetch(slot, options);
    },
  };
  const environment = { crypto: nodeCrypto, slots, clock: systemClock, readQr: readQrFromImage, loopbackHttp: true };
  for (const given of [invite.url, invite.payload, invite.toQR("png")]) {
    const preview = await previewInvite(given, environment);
    assert.equal(preview.name, "Reading circle");
    assert.equal(preview.memberCount, adminGroup.members().length);
    assert.equal(preview.usesLeft, 3);
    assert.equal(preview.imageUrl, "https://pictures.example/circle.png");
    assert.deepEqual(preview.unchecked, ["newer-states", "identities"]);
    assert.equal(preview.exposed, false);
  }
  assert.deepEqual(asked, Array(3).fill(world.node.url));
});

test("DOR-09 a mistyped link is told from a dead invite, by preview and join", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const { url } = await adminGroup.createInvite();
  const at = url.lastIndexOf(".") - 8;
  const mistyped = `${url.slice(0, at)}${url[at] === "A" ? "B" : "A"}${url.slice(at + 1)}`;
  const joiner = await world.device("joiner");
  const error = await failsWith(joiner.client.conversations.previewInvite(mistyped), "INVITE_MALFORMED");
  assert.equal(error.rule, "Checksum");
  assert.equal(inviteEndOf(error), "damaged-link");
  // Without its checksum nothing tells it from an invite that was replaced.
  const dead = mistyped.slice(0, mistyped.lastIndexOf("."));
  await failsWith(joiner.client.conversations.previewInvite(dead), "INVITE_NO_CANDIDATE");
  // A sentence that goes on looks like a wrong checksum, and the link opens.
  const preview = await joiner.client.conversations.previewInvite(
    `${url.slice(0, url.lastIndexOf("."))}.Next sentence`,
  );
  assert.equal(preview.name, "Reading circle");
});
