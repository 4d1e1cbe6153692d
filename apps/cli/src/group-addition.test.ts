import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { grpcTransport } from "@latchkey/client/node";
import { nodeCrypto } from "@latchkey/mls/node";
import { createNode } from "@latchkey/node";
import { addInstallationUpdate, createInboxUpdate, InstallationKey, localWallet } from "@latchkey/xmtp";
import { field, latchkey, tempDir, User } from "./testing/command.ts";

test("TRU-13 whoever could not be added to a new group is named with the reason, and keeps nobody else out", async (t) => {
  const directory = await tempDir(t);
  const node = await createNode({ dataDir: join(directory, "node") });
  t.after(() => node.close());
  const ada = new User(join(directory, "ada"));
  await ada.run("init", "--node", node.url);
  // A person whose devices never had a key package at the node.
  const transport = grpcTransport(node.url);
  t.after(() => transport.close());
  const wallet = localWallet(nodeCrypto.randomBytes(32));
  const keys = [1, 2].map(() => new InstallationKey(nodeCrypto.randomBytes(32)));
  const [first, second] = keys;
  assert.ok(first !== undefined && second !== undefined);
  const created = await createInboxUpdate({ wallet, nonce: 1n, installation: first, timestampNs: 1n });
  const { inboxId } = created;
  await transport.publishIdentityUpdate(created);
  await transport.publishIdentityUpdate(
    await addInstallationUpdate({ wallet, inboxId, installation: second, timestampNs: 2n }),
  );
  const ben = new User(join(directory, "ben"));
  await ben.run("init", "--node", node.url);
  const benId = String((await ben.run("whoami"))["inboxId"]);

  const { addition } = await ada.run("group", "create", "Team", "--member", benId, "--member", inboxId);
  const installations = keys.map(({ id }) => ({ installationId: id, fault: "missing" }));
  const { added, notAdded, leftOut } = field({ addition }, "addition");
  assert.deepEqual(added, [benId]);
  assert.deepEqual(leftOut, []);
  assert.deepEqual(notAdded, [{ inboxId, installations }]);
  const shown = await latchkey(["group", "create", "Club", "--member", benId, "--member", inboxId], {
    env: { LATCHKEY_HOME: ada.home },
  });
  assert.equal(shown.status, 0);
  assert.match(shown.stdout, new RegExp(`! ${inboxId.slice(0, 8)} was not added \\(key package missing\\)`));
});
