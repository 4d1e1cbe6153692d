import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import {
  createNodeClient,
  encodePng,
  generatedSigner,
  grpcTransport,
  openSqliteStore,
  readQrFromImage,
} from "@latchkey/client/node";
import { Client, httpSlots } from "@latchkey/client";
import { nodeCrypto } from "@latchkey/mls/node";
import { decodeInvitePayload, inviteUrl } from "@latchkey/xmtp";
import { epochOf, failsWith, groupOf, NO_TRACES, readCommits, readLog, traces, World } from "./support.ts";

test("REV-07 a damaged link: INVITE_MALFORMED, whatever is cut or changed, and nothing is written", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const { url } = await adminGroup.createInvite();
  const joiner = await world.device("joiner");
  const secret = url.slice(url.indexOf("#") + 1);
  const damaged = [
    "",
    "not a link",
    url.slice(0, url.indexOf("#")),
    url.slice(0, -10),
    url.replace(secret, `${secret.slice(0, 20)}%%${secret.slice(22)}`),
    `https://latchkey.link/i#${"A".repeat(100_000)}`,
  ];
  for (const text of damaged) {
    const error = await failsWith(joiner.client.conversations.joinByInvite(text), "INVITE_MALFORMED");
    assert.equal(error.retryable, false);
    assert.equal(`${error.message}${JSON.stringify(error.data)}`.includes(secret.slice(0, 20)), false);
  }
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("REV-07 a PNG without a QR code, and files that are no PNG: INVITE_NO_QR", async (t) => {
  const world = await World.start(t);
  const joiner = await world.device("joiner");
  const blank = encodePng(Array.from({ length: 40 }, () => Array.from({ length: 40 }, () => false)));
  const cut = blank.subarray(0, blank.length >> 1);
  const huge = blank.slice();
  new DataView(huge.buffer).setUint32(16, 0x7fffffff);
  for (const bytes of [blank, cut, huge, new Uint8Array(0), new TextEncoder().encode("GIF89a")]) {
    await assert.rejects(readQrFromImage(bytes), { code: "INVITE_NO_QR", retryable: false });
  }
  await failsWith(joiner.client.conversations.joinByInvite(blank), "INVITE_NO_QR");
});

test("REV-07 a link for a slot that nobody knows: INVITE_UNKNOWN_SLOT, retryable", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const payload = decodeInvitePayload((await adminGroup.createInvite()).payload);
  const unknown = inviteUrl({ ...payload, externalGroupId: nodeCrypto.randomBytes(16) }, "https://latchkey.link/i");
  const joiner = await world.device("joiner");

  const error = await failsWith(joiner.client.conversations.joinByInvite(unknown), "INVITE_UNKNOWN_SLOT");

  assert.equal(error.retryable, true);
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("REV-07 a node that is down: NODE_UNREACHABLE with a time to wait; a known installation still opens", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const joiner = await world.device("joiner");
  await world.node.close();

  const error = await failsWith(joiner.client.conversations.joinByInvite(invite.url), "NODE_UNREACHABLE");
  assert.equal(error.retryable, true);
  assert.ok((error.retryAfterMs ?? 0) > 0);
  assert.ok(error.cause instanceof Error);
  assert.deepEqual(traces(joiner), NO_TRACES);

  await failsWith(adminGroup.updateName("nobody hears this"), "NODE_UNREACHABLE");
  assert.equal(adminGroup.name, "Reading circle");
  await world.restart(joiner);
  assert.equal(joiner.client.conversations.list().length, 0);
  const fresh = world.path("fresh.db");
  await failsWith(createNodeClient(generatedSigner(), { dbPath: fresh, nodeUrl: world.node.url }), "NODE_UNREACHABLE");
});

test("REV-07 a database of a newer version: STORE_VERSION, and the file stays as it is", async (t) => {
  const world = await World.start(t);
  const path = world.path("newer.db");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE later (x); PRAGMA user_version = 999");
  database.close();
  const before = readFileSync(path);

  const opening = createNodeClient(generatedSigner(), { dbPath: path, nodeUrl: world.node.url });
  await failsWith(opening, "STORE_VERSION");

  assert.deepEqual(readFileSync(path), before);
  assert.equal(existsSync(`${path}-wal`), false);
});

test("REV-01 a full disk during a join: STORE_FULL, no group, and the join is finished when there is room", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const joiner = await world.device("joiner");
  joiner.client.close();
  const pages = Math.ceil(readFileSync(joiner.dbPath).length / 4096);
  let refusals = 0;
  // Page by page: wherever the disk turns out to be full, the group is there as a whole or not at all.
  for (let room = 0; ; room++) {
    const store = openSqliteStore(joiner.dbPath, { maxPages: pages + room });
    const full = { ...joiner.environment, store, transport: grpcTransport(world.node.url) };
    const client = await Client.create(joiner.signer, full).catch((error: unknown) => error as { code?: string });
    if (!(client instanceof Client)) {
      assert.equal(client.code, "STORE_FULL");
      refusals++;
      continue;
    }
    const outcome = await client.conversations.joinByInvite(invite.url).then(
      () => "joined",
      (error: unknown) => (error as { code?: string }).code,
    );
    const groups = client.conversations.list().length;
    client.close();
    if (outcome === "joined" || outcome === "ALREADY_MEMBER") break;
    assert.equal(outcome, "STORE_FULL");
    assert.equal(groups, 0);
    refusals++;
  }
  assert.ok(refusals > 0);
  await world.restart(joiner);
  const group = groupOf(joiner, adminGroup.id);
  await group.sync();
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.equal((await readCommits(joiner, adminGroup.id)).length, 3);
});

test("REV-07 a revoked invite, and one whose slot was replaced: refused, and nobody lands in the group", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const joiner = await world.device("joiner");
  const replaced = await adminGroup.createInvite();
  await adminGroup.rotateInvite({ slot: true });
  await failsWith(joiner.client.conversations.joinByInvite(replaced.url), "INVITE_STALE");
  const revoked = await adminGroup.createInvite();
  await adminGroup.revokeInvite();
  await failsWith(joiner.client.conversations.joinByInvite(revoked.url), "INVITE_STALE");
  assert.deepEqual(traces(joiner), NO_TRACES);
  assert.equal(adminGroup.members().length, 2);
});

test("REV-07 an invite whose key was replaced opens nothing that was uploaded since; the new link works", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const joiner = await world.device("joiner");
  const old = await adminGroup.createInvite();
  const fresh = await adminGroup.rotateInvite();
  const { symmetricKey, externalGroupId } = decodeInvitePayload(old.payload);
  assert.deepEqual(decodeInvitePayload(fresh.payload).externalGroupId, externalGroupId);
  assert.notDeepEqual(decodeInvitePayload(fresh.payload).symmetricKey, symmetricKey);

  // The blob from before the rotation is still in the slot: it opens, and turns out to be of an epoch that is over.
  await failsWith(joiner.client.conversations.joinByInvite(old.url), "INVITE_STALE");
  const { group } = await joiner.client.conversations.joinByInvite(fresh.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});

test("REV-07 a join that is stopped before anything left: JOIN_ABORTED, nothing pending; in time or not: JOIN_TIMEOUT", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const joiner = await world.device("joiner");
  const stopping = new AbortController();
  const { signal } = stopping;
  const onProgress = ({ step }: { step: string }) => {
    if (step === "preparing") stopping.abort();
  };
  const aborted = await failsWith(
    joiner.client.conversations.joinByInvite(invite.url, { signal, onProgress }),
    "JOIN_ABORTED",
  );
  assert.equal(aborted.data["pending"], false);
  const late = ({ step }: { step: string }) => {
    if (step === "preparing") joiner.clock.forward(5_000);
  };
  const timedOut = await failsWith(
    joiner.client.conversations.joinByInvite(invite.url, { timeoutMs: 4_000, onProgress: late }),
    "JOIN_TIMEOUT",
  );
  assert.equal(timedOut.retryable, true);
  assert.deepEqual(traces(joiner), NO_TRACES);
  assert.equal((await readLog(joiner, adminGroup.id)).length, 2);
});

test("SEC-11 a redirect of the invite service is not followed", async (t) => {
  const world = await World.start(t);
  const { createServer } = await import("node:http");
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    response.writeHead(302, { location: `${world.node.url}/healthz` }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const slot = { serviceUrl: `http://127.0.0.1:${address.port}`, externalGroupId: new Uint8Array(16) };

  await failsWith(httpSlots.fetch(slot), "NODE_UNREACHABLE");
  assert.equal(asked, 1);
});
