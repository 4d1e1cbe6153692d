import assert from "node:assert/strict";
import type { Client, Group } from "@latchkey/client";
import { epochAuthenticatorStart, epochOf } from "./native.ts";
import type { NativeGroup } from "./native-library.ts";

/** Opens what is new on the node and returns our client's group with that id, read up to date. */
export async function ourGroup(client: Client, id: string): Promise<Group> {
  await client.conversations.sync();
  const group = client.conversations.get(id);
  if (group === undefined) throw new Error("our client did not get into the group");
  return group;
}

/** Texts that our client has read, after a sync. */
export async function ourTexts(group: Group): Promise<string[]> {
  await group.sync();
  return group.messages().flatMap(({ text, contentType }) => (contentType === "xmtp.org/text:1.0" ? (text ?? []) : []));
}

/**
 * Throws unless all clients are in the same epoch of the same history, with the same name, description and members, and
 * ours refused exactly what broke these rules, undefined for what could not be decrypted.
 */
export async function assertAgree(
  ours: readonly Group[],
  natives: readonly NativeGroup[],
  refused: readonly (string | undefined)[] = [],
): Promise<void> {
  const [first] = ours;
  assert.ok(first !== undefined);
  for (const group of ours) await group.sync();
  const expected = {
    epoch: first.epoch,
    name: first.name ?? "",
    description: first.description ?? "",
    members: describeOurs(first),
  };
  for (const group of ours) {
    assert.deepEqual(
      group.rejections().map(({ rule }) => rule),
      refused,
    );
    assert.equal(group.epoch, expected.epoch);
    assert.equal(group.epochAuthenticator, first.epochAuthenticator);
    assert.equal(group.treeHash, first.treeHash);
  }
  for (const group of natives) {
    assert.equal(await epochOf(group), expected.epoch, "epoch of a native client");
    assert.equal(await epochAuthenticatorStart(group), first.epochAuthenticator.slice(0, 6), "epoch authenticator");
    assert.equal(group.groupName(), expected.name);
    assert.equal(group.groupDescription(), expected.description);
    assert.deepEqual(await describeNative(group), expected.members);
  }
}

const LEVELS = ["member", "admin", "super_admin"];

async function describeNative(group: NativeGroup): Promise<string[]> {
  return (await group.listMembers())
    .map(({ inboxId, permissionLevel, installationIds }) =>
      [inboxId, LEVELS[permissionLevel], ...[...installationIds].sort()].join(" "),
    )
    .sort();
}

function describeOurs(group: Group): string[] {
  return group
    .members()
    .map(({ inboxId, permission, installations }) => [inboxId, permission, ...[...installations].sort()].join(" "))
    .sort();
}
