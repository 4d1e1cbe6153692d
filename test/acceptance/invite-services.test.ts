import assert from "node:assert/strict";
import { test } from "node:test";
import type { SlotService } from "@latchkey/client";
import { toHex } from "@latchkey/mls";
import { decodeInvitePayload, peekBlob } from "@latchkey/xmtp";
import { epochOf, failsWith, NO_TRACES, readLog, traces, World, type Wrap } from "./support.ts";

/** A service of an application's own, which names it by bytes of its own. */
class AppService implements SlotService {
  readonly pointer = { kind: "opaque", bytes: Uint8Array.of(0xfe, 1, 2, 3) } as const;
  readonly slots = new Map<string, Uint8Array[]>();
  uploads = 0;

  /** Lets a device find the service; its own invite service is nowhere. */
  readonly known: Wrap = (environment) => ({
    ...environment,
    inviteServiceUrl: undefined,
    loopbackHttp: true,
    resolvePointer: (opaque) => (toHex(opaque) === toHex(this.pointer.bytes) ? this : undefined),
  });

  #held(externalGroupId: Uint8Array): Uint8Array[] {
    const id = toHex(externalGroupId);
    return this.slots.get(id) ?? this.slots.set(id, []).get(id) ?? [];
  }

  async upload({ externalGroupId }: { externalGroupId: Uint8Array }, blob: Uint8Array): Promise<undefined> {
    this.uploads++;
    this.#held(externalGroupId).push(blob);
    return undefined;
  }

  async fetch({ externalGroupId }: { externalGroupId: Uint8Array }) {
    return { blobs: this.#held(externalGroupId), tag: undefined, waiting: undefined };
  }

  async exists(): Promise<boolean> {
    return false;
  }
}

test("X82-23 opaque pointers: the application's service is uploaded to, fetched from, and kept fresh by each committer", async (t) => {
  const world = await World.start(t);
  const service = new AppService();
  const admin = await world.device("admin", { wrap: service.known });
  const adminGroup = await admin.client.conversations.createGroup([], { name: "Ours" });
  const invite = await adminGroup.createInvite({ service: service.pointer });
  assert.equal(adminGroup.invite?.url, invite.url);
  const [joiner, second] = [
    await world.device("joiner", { wrap: service.known }),
    await world.device("second", { wrap: service.known }),
  ];

  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  const afterJoin = service.uploads;
  await adminGroup.updateName("Still ours");
  assert.equal(service.uploads, afterJoin + 1);
  assert.equal((await second.client.conversations.previewInvite(invite.url)).name, "Still ours");
  const { group: late } = await second.client.conversations.joinByInvite(invite.url);

  for (const each of [group, adminGroup]) await each.sync();
  assert.deepEqual([epochOf(group), epochOf(adminGroup)], [epochOf(late), epochOf(late)]);
  assert.equal(service.slots.size, 1);
});

test("INVITE_POINTER_OPAQUE: a client that cannot find the service says so before anything happens; as a member it commits all the same", async (t) => {
  const world = await World.start(t);
  const { member, admin, adminGroup, memberGroup } = await world.group();
  const service = new AppService();
  await world.restart(admin, service.known);
  const group = admin.client.conversations.get(adminGroup.id);
  const invite = await group?.createInvite({
    service: service.pointer,
    refreshPointers: [service.pointer, world.node.url],
  });
  const joiner = await world.device("joiner");
  const log = await readLog(joiner, adminGroup.id);

  const error = await failsWith(joiner.client.conversations.joinByInvite(invite?.url ?? ""), "INVITE_POINTER_OPAQUE");
  assert.match(error.message, /resolvePointer/);
  assert.deepEqual(await readLog(joiner, adminGroup.id), log);
  assert.deepEqual(traces(joiner), NO_TRACES);

  // What this member cannot reach does not keep it from committing, nor from refreshing what it can reach.
  await memberGroup.updateName("Renamed");
  const { externalGroupId } = decodeInvitePayload(invite?.payload ?? new Uint8Array(0));
  const { blobs = [] } = await member.environment.slots.fetch({ serviceUrl: world.node.url, externalGroupId });
  assert.equal(peekBlob(blobs.at(-1) ?? new Uint8Array(0)).epoch, memberGroup.epoch);
});
