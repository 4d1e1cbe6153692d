import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspectInvite, type Group } from "@latchkey/client";
import { createNodeClient, generatedSigner } from "@latchkey/client/node";
import { CIPHER_SUITE } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { createNode } from "@latchkey/node";
import { isInboxId } from "@latchkey/xmtp";

// What an application does with the installed packages: a node, a group, an invite as a picture, a join, messages.

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`expected ${what}`);
}

async function textsOf(group: Group): Promise<string[]> {
  await group.sync();
  return group.messages().flatMap(({ text }) => (text === undefined ? [] : [text]));
}

async function main(): Promise<void> {
  expect(nodeCrypto.suite(CIPHER_SUITE.MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519).id === 1, "a cipher suite");
  const folder = mkdtempSync(join(tmpdir(), "latchkey-story-"));
  const node = await createNode({ dataDir: join(folder, "node"), port: 0 });
  try {
    const nodeUrl = node.url;
    const alice = await createNodeClient(generatedSigner(), { dbPath: join(folder, "alice.db"), nodeUrl });
    expect(isInboxId(alice.inboxId), "an inbox id");
    const group = await alice.conversations.createGroup([], { name: "Release" });
    const invite = await group.invites.create();
    expect(inspectInvite(invite.url).hasKey, "a key in the link");
    const bob = await createNodeClient(generatedSigner(), { dbPath: join(folder, "bob.db"), nodeUrl });
    const joined = await bob.conversations.joinByInvite(invite.toQR("png"));
    await joined.group.send("hello from the picture");
    expect((await textsOf(group)).includes("hello from the picture"), "the message of the joiner");
    await group.send("welcome");
    expect((await textsOf(joined.group)).includes("welcome"), "the message of the admin");
    alice.close();
    bob.close();
  } finally {
    await node.close();
    rmSync(folder, { recursive: true });
  }
  console.log("story ok");
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
