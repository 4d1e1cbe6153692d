import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createNodeClient, generatedSigner } from "@latchkey/client/node";
import { createNode } from "@latchkey/node";
import { lastJson, latchkey, tempDir } from "./test-command.ts";

/** Bytes of the key at the end of an ExternalInvitePayload. */
const KEY_BYTES = 32;

test("inspect says what a link, an image and standard input are, offline, and never shows a part of the key", async (t) => {
  const directory = await tempDir(t);
  const node = await createNode({ dataDir: join(directory, "node") });
  const client = await createNodeClient(generatedSigner(), { dbPath: join(directory, "a.db"), nodeUrl: node.url });
  const group = await client.conversations.createGroup([], { name: "Team" });
  const invite = await group.createInvite();
  client.close();
  await node.close();

  const png = join(directory, "invite.png");
  await writeFile(png, invite.toQR("png"));
  const env = { LATCHKEY_HOME: join(directory, "nobody") };
  const runs = [
    { args: ["inspect", invite.url], input: "" },
    { args: ["inspect", png], input: "" },
    { args: ["inspect", "-"], input: `${invite.url}\n` },
    { args: ["inspect", "-"], input: await readFile(png) },
  ];
  const key = Buffer.from(invite.payload).subarray(-KEY_BYTES);
  const forms = (["hex", "base64", "base64url"] as const).flatMap((encoding) => pieces(key.toString(encoding)));
  for (const { args, input } of runs) {
    const human = await latchkey(args, { input, env });
    assert.equal(human.status, 0, human.stderr);
    assert.match(human.stdout, new RegExp(`slot +${invite.externalGroupId}`));
    const json = await latchkey([...args, "--json"], { input, env });
    assert.deepEqual(lastJson(json.stdout), {
      ok: true,
      invite: {
        version: 1,
        serviceUrl: node.url,
        externalGroupId: invite.externalGroupId,
        hasKey: true,
        exposed: false,
        checksum: args[1] === png || typeof input !== "string" ? "absent" : "right",
      },
    });
    const said = [human, json].map(({ stdout, stderr }) => stdout + stderr).join("");
    for (const form of forms) assert.ok(!said.includes(form), "a part of the key is shown");
  }
});

test("TRU-18 a picture made to harm is refused by inspect with its cause, from a file and from standard input", async (t) => {
  const directory = await tempDir(t);
  const header = Buffer.alloc(25);
  header.write("IHDR", 4, "latin1");
  header.writeUInt32BE(13, 0);
  header.writeUInt32BE(100_000_000, 12);
  const bomb = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), header]);
  const file = join(directory, "bomb.png");
  await writeFile(file, bomb);
  for (const [args, input] of [
    [["inspect", file], ""],
    [["inspect", "-"], bomb],
  ] as const) {
    const { status, stderr } = await latchkey(args, { input, env: { LATCHKEY_HOME: directory } });
    assert.equal(status, 3);
    assert.match(stderr, /INVITE_NO_QR|picture/);
  }
});

/** Every run of 8 characters of a text. */
function pieces(text: string): string[] {
  return Array.from({ length: text.length - 7 }, (_, start) => text.slice(start, start + 8));
}
