import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { createNodeClient, generatedSigner } from "@latchkey/client/node";
import { createNode } from "@latchkey/node";
import { encodeInvitePayload, inviteUrl } from "@latchkey/xmtp";
import { field, lastJson, latchkey, tempDir } from "./testing/command.ts";

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
  const unnamed = join(directory, "photo #3");
  await writeFile(unnamed, invite.toQR("png"));
  const env = { LATCHKEY_HOME: join(directory, "nobody") };
  const runs = [
    { args: ["inspect", invite.url], input: "" },
    { args: ["inspect", png], input: "" },
    { args: ["inspect", "-"], input: `${invite.url}\n` },
    { args: ["inspect", unnamed], input: "" },
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
        checksum: args[1] === png || args[1] === unnamed || typeof input !== "string" ? "absent" : "right",
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

test("DOR-04 a file is what it holds: a text in UTF-8 or UTF-16, a shortcut, or a picture under any name", async (t) => {
  const directory = await tempDir(t);
  const payload = {
    servicePointer: { kind: "https_url", url: "https://slots.example" },
    externalGroupId: new Uint8Array(16).fill(3),
    symmetricKey: new Uint8Array(32).fill(5),
  } as const;
  const link = inviteUrl(payload, "https://any.example/i");
  const files: Readonly<Record<string, string | Uint8Array>> = {
    "invite.txt": `Join us:\n${link}\n`,
    "invite.url": `[InternetShortcut]\r\nURL=${link}\r\n`,
    "invite.webloc": `<plist><dict><key>URL</key><string>${link}</string></dict></plist>`,
    "mail.eml": `Subject: =?utf-8?q?x?=\r\n\r\n${link.slice(0, 60)}=\r\n${link.slice(60)}\r\n`,
    "card.vcf": `BEGIN:VCARD\r\nURL:${link}\r\nEND:VCARD\r\n`,
    "little.txt": Buffer.from(`\ufeff${link}`, "utf16le"),
    "big.txt": Buffer.from(`\ufeff${link}`, "utf16le").swap16(),
    "payload.bin": encodeInvitePayload(payload),
  };
  for (const [name, content] of Object.entries(files)) {
    const file = join(directory, name);
    await writeFile(file, content);
    for (const source of [file, pathToFileURL(file).href]) {
      const { status, stdout, stderr } = await latchkey(["inspect", source, "--json"]);
      assert.equal(status, 0, `${name}: ${stdout}${stderr}`);
      assert.equal(field(lastJson(stdout), "invite")["externalGroupId"], "03".repeat(16));
    }
  }
});

/** Every run of 8 characters of a text. */
function pieces(text: string): string[] {
  return Array.from({ length: text.length - 7 }, (_, start) => text.slice(start, start + 8));
}
