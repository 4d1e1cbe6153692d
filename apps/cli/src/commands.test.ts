import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { inspectInvite } from "@latchkey/client";
import { encodePng, readQrFromImage } from "@latchkey/client/node";
import { createNode } from "@latchkey/node";
import jpeg from "jpeg-js";
import { PNG } from "pngjs";
import { field, lastJson, latchkey, latchkeyProcess, parseJson, tempDir, User, type Json } from "./testing/command.ts";

interface World {
  readonly directory: string;
  readonly nodeUrl: string;
  /** Somebody with a fresh inbox. */
  readonly user: (name: string) => Promise<User>;
}

/** A node of its own for each test, and people at it. */
async function world(t: TestContext): Promise<World> {
  const directory = await tempDir(t);
  const node = await createNode({ dataDir: join(directory, "node") });
  t.after(() => node.close());
  return {
    directory,
    nodeUrl: node.url,
    async user(name) {
      const user = new User(join(directory, name));
      await user.run("init", "--node", node.url);
      return user;
    },
  };
}

/** The same person, whose commands run in processes of their own, as they do in use. */
function ownProcess({ home }: User): User {
  return new User(home, latchkeyProcess);
}

function invite(json: Json): { readonly url: string } {
  return { url: String(field(json, "invite")["url"]) };
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777;
}

function texts(json: Json): unknown[] {
  const { messages } = json;
  assert.ok(Array.isArray(messages));
  return messages.map((message: Json) => message["text"]);
}

/** The dark modules of a code drawn without colours: two rows to a line, light ones as blocks. */
function drawnModules(text: string): boolean[][] {
  const lines = text.split("\n").filter((line) => /^[█▀▄ ]{40,80}$/.test(line));
  const rows = lines.flatMap((line) =>
    ["█▀", "█▄"].map((light) => Array.from(line, (block) => !light.includes(block))),
  );
  // The last line has one row only where their number is odd.
  return rows.slice(0, rows[0]?.length);
}

describe("init and whoami", () => {
  test("init makes an inbox once, keeps its secrets private, and whoami shows the same ids", async (t) => {
    const { directory, nodeUrl } = await world(t);
    const user = new User(join(directory, "ada"));
    const made = await ownProcess(user).run("init", "--node", nodeUrl);
    assert.equal(made["keyCreated"], true);
    assert.match(String(made["inboxId"]), /^[0-9a-f]{64}$/);
    const { inboxId, installationId } = await user.run("whoami");
    assert.deepEqual({ inboxId, installationId }, { inboxId: made["inboxId"], installationId: made["installationId"] });
    const again = await user.run("init");
    assert.equal(again["keyCreated"], false);
    assert.equal(again["installationId"], installationId);
    assert.equal(await modeOf(user.home), 0o700);
    assert.equal(await modeOf(join(user.home, "wallet.key")), 0o600);
    assert.equal(await modeOf(join(user.home, "latchkey.db")), 0o600);
  });

  test("init --import makes another installation of the same inbox; another wallet's key is never overwritten", async (t) => {
    const { directory, nodeUrl, user } = await world(t);
    const phone = await user("phone");
    const laptop = new User(join(directory, "laptop"));
    const key = join(phone.home, "wallet.key");
    const second = await laptop.run("init", "--node", nodeUrl, "--import", key);
    const first = await phone.run("whoami");
    assert.equal(second["inboxId"], first["inboxId"]);
    assert.notEqual(second["installationId"], first["installationId"]);
    const stranger = await user("stranger");
    const before = await readFile(join(stranger.home, "wallet.key"));
    const refused = await stranger.try("init", "--import", key);
    assert.equal(refused.status, 2);
    assert.equal(field(lastJson(refused.stdout), "error")["code"], "KEY_FILE_INVALID");
    assert.deepEqual(await readFile(join(stranger.home, "wallet.key")), before);
  });

  test("init --key-file keeps the key elsewhere and remembers where", async (t) => {
    const { directory, nodeUrl } = await world(t);
    const user = new User(join(directory, "ada"));
    const key = join(directory, "vault", "ada.key");
    const made = await user.run("init", "--node", nodeUrl, "--key-file", key);
    assert.equal(await modeOf(key), 0o600);
    assert.equal((await user.run("whoami"))["inboxId"], made["inboxId"]);
  });

  test("a database without its key is not given a new one, and opens without it", async (t) => {
    const { user } = await world(t);
    const ada = await user("ada");
    const { inboxId } = await ada.run("whoami");
    await writeFile(
      join(ada.home, "config.json"),
      JSON.stringify({ nodeUrl: "http://127.0.0.1:1", keyFile: "gone.key" }),
    );
    const { status, stdout } = await ada.try("init");
    assert.equal(status, 2);
    assert.equal(field(lastJson(stdout), "error")["code"], "KEY_FILE_INVALID");
    assert.equal((await ada.run("whoami"))["inboxId"], inboxId);
    assert.equal(existsSync(join(ada.home, "gone.key")), false);
  });
});

describe("groups and messages", () => {
  test("a group is created with members, listed, renamed, and talked in", async (t) => {
    const { user } = await world(t);
    const [ada, ben] = [await user("ada"), await user("ben")];
    const benId = String((await ben.run("whoami"))["inboxId"]);
    const created = field(await ada.run("group", "create", "Team", "--member", benId), "group");
    assert.equal(created["members"], 2);
    assert.equal((await ada.run("group", "rename", "Team", "Crew"))["ok"], true);

    const { groups } = await ben.run("group", "list");
    assert.ok(Array.isArray(groups));
    assert.equal((groups as Json[])[0]?.["name"], "Crew");
    const { members } = await ben.run("group", "members", String(created["id"]).slice(0, 6));
    assert.ok(Array.isArray(members));
    assert.deepEqual((members as Json[]).map(({ isYou, permission }) => ({ isYou, permission })).sort(), [
      ...(members as Json[]).map(({ inboxId }) =>
        inboxId === benId ? { isYou: true, permission: "member" } : { isYou: false, permission: "super_admin" },
      ),
    ]);

    await ada.run("send", "Crew", "hello, Ben");
    await ben.run("send", "Crew", "hello, Ada");
    assert.deepEqual(texts(await ada.run("read", "Crew")), ["hello, Ben", "hello, Ada"]);
    assert.deepEqual(texts(await ben.run("read", "Crew")), ["hello, Ben", "hello, Ada"]);
  });

  test("without --json each command says its piece and ends with 0", async (t) => {
    const { user } = await world(t);
    const [ada, ben] = [await user("ada"), await user("ben")];
    const say = async (who: typeof ada, ...args: string[]): Promise<string> => {
      const ended = await latchkey(args, { env: { LATCHKEY_HOME: who.home } });
      assert.equal(ended.status, 0, `latchkey ${args.join(" ")}: ${ended.stderr}`);
      return ended.stdout;
    };
    assert.match(await say(ada, "group", "create", "Team"), /Team {2}1 member, 1 device/);
    assert.match(await say(ada, "group", "list"), /Team {2}1 member, 1 device/);
    assert.match(await say(ada, "group", "rename", "Team", "Crew"), /Crew/);
    const link = /latchkey:\S+/.exec(await say(ada, "invite", "create", "Crew"))?.[0] ?? "";
    assert.match(await say(ben, "join", link), /You are in Crew/);
    assert.match(await say(ada, "group", "members", "Crew"), /joined through invite/);
    assert.match(await say(ada, "send", "Crew", "hello"), /sent to Crew/);
    assert.match(await say(ben, "read", "Crew"), /hello/);
    assert.ok((await say(ada, "invite", "show", "Crew")).includes(link));
    assert.match(await say(ada, "invite", "rotate", "Crew"), /latchkey:#/);
    assert.match(await say(ada, "invite", "revoke", "Crew"), /No link lets anybody into Crew/);
    assert.match(await say(ben, "whoami"), /inbox/);
  });

  test("text of others cannot drive the terminal, nor pose as a message of its own", async (t) => {
    const { user } = await world(t);
    const ada = await user("ada");
    await ada.run("group", "create", "Team");
    await ada.run("send", "Team", "\u001b[2Jwiped\n2027-01-15 08:00:00 UTC  you       fake");
    const { stdout } = await latchkey(["read", "Team"], { env: { LATCHKEY_HOME: ada.home } });
    assert.ok(!stdout.includes("\u001b"));
    const lines = stdout.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /UTC {2}you {7}\ufffd\[2Jwiped$/);
    assert.match(lines[1] ?? "", /^ {4}2027-01-15 .* fake$/);
  });

  test("a group that is not there: exit 2, GROUP_UNKNOWN", async (t) => {
    const { user } = await world(t);
    const ada = await user("ada");
    for (const args of [
      ["send", "team", "hello"],
      ["read", "team"],
      ["invite", "show", "team"],
      ["chat", "team"],
    ]) {
      const { status, stdout } = await ada.try(...args);
      assert.equal(status, 2);
      assert.equal(field(lastJson(stdout), "error")["code"], "GROUP_UNKNOWN");
    }
  });

  test("read --follow prints what comes, a line each, and ends with a count on Ctrl-C", async (t) => {
    const { user } = await world(t);
    const [ada, ben] = [await user("ada"), await user("ben")];
    await ada.run("group", "create", "Team", "--member", String((await ben.run("whoami"))["inboxId"]));
    await ada.run("send", "Team", "before");
    const following = ben.start(t, "read", "Team", "--follow");
    const lines = following.lines();
    const next = async () => parseJson(String((await lines.next()).value));
    assert.equal(field(await next(), "message")["text"], "before");
    await ada.run("send", "Team", "after");
    assert.equal(field(await next(), "message")["text"], "after");
    following.child.kill("SIGINT");
    assert.deepEqual(await next(), { ok: true, count: 2, active: true });
    assert.equal(await following.status, 0);
  });

  test("chat sends each line, shows what others say, and ends with its input", async (t) => {
    const { user } = await world(t);
    const [ada, ben] = [await user("ada"), await user("ben")];
    await ada.run("group", "create", "Team", "--member", String((await ben.run("whoami"))["inboxId"]));
    const chat = ben.start(t, "chat", "Team");
    const lines = chat.lines();
    chat.child.stdin.write("hello from Ben\n\n");
    assert.equal(field(parseJson(String((await lines.next()).value)), "message")["text"], "hello from Ben");
    await ada.run("send", "Team", "hello from Ada");
    assert.equal(field(parseJson(String((await lines.next()).value)), "message")["text"], "hello from Ada");
    chat.child.stdin.end();
    assert.deepEqual(parseJson(String((await lines.next()).value)), { ok: true, sent: 1, active: true });
    assert.equal(await chat.status, 0);
    assert.deepEqual(texts(await ada.run("read", "Team")), ["hello from Ben", "hello from Ada"]);
  });

  test("a data directory that another process uses: exit 4, STORE_LOCKED", async (t) => {
    const { user } = await world(t);
    const ada = await user("ada");
    await ada.run("group", "create", "Team");
    await ada.run("send", "Team", "first");
    const following = ada.start(t, "read", "Team", "--follow");
    await following.lines().next();
    const { status, stdout } = await ada.try("whoami");
    assert.equal(status, 4);
    assert.equal(field(lastJson(stdout), "error")["code"], "STORE_LOCKED");
    following.child.kill("SIGINT");
    assert.equal(await following.status, 0);
  });
});

describe("invites", () => {
  test("X82-02 a PNG written by invite create lets a person in with both devices; both read and write", async (t) => {
    const { directory, nodeUrl, user } = await world(t);
    const [ada, cleo] = [await user("ada"), await user("cleo")];
    const laptop = new User(join(directory, "laptop"));
    await laptop.run("init", "--node", nodeUrl, "--import", join(cleo.home, "wallet.key"));
    await ada.run("group", "create", "Team");
    const [png, svg] = [join(directory, "invite.png"), join(directory, "invite.svg")];
    await ownProcess(ada).run("invite", "create", "Team", "--max-uses", "3", "--qr-png", png, "--qr-svg", svg);
    assert.equal(await modeOf(png), 0o600);
    assert.match(await readFile(svg, "utf8"), /^<svg /);

    const joined = await ownProcess(cleo).run("join", png);
    assert.deepEqual({ devices: joined["devices"], failed: joined["failedDevices"] }, { devices: 2, failed: 0 });
    assert.equal(field(joined, "group")["name"], "Team");
    await laptop.run("send", "Team", "hello from the laptop");
    const story = await ada.run("read", "Team");
    assert.deepEqual(texts(story), ["hello from the laptop"]);
    const cleoId = (await cleo.run("whoami"))["inboxId"];
    assert.deepEqual(
      (story["joins"] as Json[]).map(({ inboxId }) => inboxId),
      [cleoId],
    );
    const { stdout } = await latchkeyProcess(["read", "Team"], { env: { LATCHKEY_HOME: ada.home } });
    assert.match(stdout, /\+  [0-9a-f]{8} joined through the invite \(slot [0-9a-f]{8}\)\n.*hello from the laptop/);
    assert.deepEqual(texts(await cleo.run("read", "Team")), ["hello from the laptop"]);
  });

  test("who is removed is said to hold the invite still, unless it is renewed", async (t) => {
    const { user } = await world(t);
    const [ada, bob, cleo] = [await user("ada"), await user("bob"), await user("cleo")];
    const ids: string[] = [];
    for (const guest of [bob, cleo]) ids.push(String((await guest.run("whoami"))["inboxId"]));
    const [bobId = "", cleoId = ""] = ids;
    await ada.run("group", "create", "team", "--member", bobId, "--member", cleoId);
    const { url } = invite(await ada.run("invite", "create", "team"));
    const alone = await ada.run("group", "remove", "team", bobId);
    assert.deepEqual([alone["removed"], alone["mayHoldLiveInvite"], alone["inviteUrl"]], [[bobId], true, url]);
    const rotated = await ada.run("group", "remove", "team", cleoId, "--rotate-invite", "slot");
    assert.deepEqual([rotated["removed"], rotated["mayHoldLiveInvite"]], [[cleoId], false]);
    assert.deepEqual([rotated["joinedMeanwhile"], rotated["renewalPending"]], [[], false]);
    assert.notEqual(rotated["inviteUrl"], url);
    assert.equal((await ada.try("group", "remove", "team", cleoId)).status, 2);
  });

  test("X82-18 who is a member already is told so: exit 3, ALREADY_MEMBER", async (t) => {
    const { user } = await world(t);
    const [ada, cleo] = [await user("ada"), await user("cleo")];
    await ada.run("group", "create", "Team");
    const { url } = invite(await ada.run("invite", "create", "Team"));
    assert.equal(invite(await ada.run("invite", "show", "Team")).url, url);
    await cleo.run("join", url);
    // Until a member has confirmed the join, joining again leads to where it led.
    await ada.run("send", "Team", "welcome");
    await cleo.run("read", "Team");
    const again = await cleo.try("join", url);
    assert.equal(again.status, 3);
    assert.equal(field(lastJson(again.stdout), "error")["code"], "ALREADY_MEMBER");
  });

  test("links from before a rotation or a revocation fail with exit 3 or 4, never with a join", async (t) => {
    const { user } = await world(t);
    const [ada, cleo] = [await user("ada"), await user("cleo")];
    await ada.run("group", "create", "Team");
    const first = invite(await ada.run("invite", "create", "Team")).url;
    const second = invite(await ada.run("invite", "rotate", "Team")).url;
    const third = invite(await ada.run("invite", "rotate", "Team", "--slot")).url;
    assert.equal(new Set([first, second, third]).size, 3);
    const changed = await ada.run("invite", "change", "Team", "--max-uses", "any", "--expires-in", "never");
    assert.deepEqual([invite(changed).url, field(changed, "invite")["expiresAtNs"]], [third, null]);
    assert.equal((await ada.try("invite", "change", "Team")).status, 2);
    assert.equal((await ada.run("invite", "revoke", "Team"))["revoked"], true);
    assert.equal(field(lastJson((await ada.try("invite", "show", "Team")).stdout), "error")["code"], "INVITE_NONE");
    for (const url of [first, third]) {
      const { status, stdout } = await cleo.try("join", url, "--timeout", "2s");
      assert.ok(status === 3 || status === 4, stdout);
      assert.equal(lastJson(stdout)["ok"], false);
    }
    const { groups } = await cleo.run("group", "list");
    assert.deepEqual(groups, []);
  });

  test("join reads a link or a photo from standard input, or a text around it, and shows its steps to people", async (t) => {
    const { directory, user } = await world(t);
    const [ada, cleo, dan, eve] = [await user("ada"), await user("cleo"), await user("dan"), await user("eve")];
    await ada.run("group", "create", "Team");
    const png = join(directory, "invite.png");
    const { url } = invite(await ada.run("invite", "create", "Team", "--qr-png", png));
    const byLink = await latchkey(["join", "-"], { input: `${url}\n`, env: { LATCHKEY_HOME: cleo.home } });
    assert.equal(byLink.status, 0, byLink.stderr);
    assert.match(byLink.stdout, /^✓ You are in Team \([0-9a-f]{8}\) with 1 device\.\n$/);
    assert.match(byLink.stderr, /· asking the invite service\n· verifying .*\n· preparing .*\n· sending it\n/);
    const photo = join(directory, "photo.jpeg");
    await writeFile(photo, jpeg.encode(PNG.sync.read(await readFile(png)), 40).data);
    const byImage = await latchkey(["join", "-"], { input: await readFile(photo), env: { LATCHKEY_HOME: dan.home } });
    assert.equal(byImage.status, 0, byImage.stderr);
    assert.equal((await eve.run("inspect", photo))["ok"], true);
    assert.equal(
      field(await eve.run("join", `Come in! latchkey:${url.split("#")[1] ?? ""}, see you.`), "group")["name"],
      "Team",
    );
  });

  test("invite create draws a code that scans to the link, without colours where there is no terminal", async (t) => {
    const { user } = await world(t);
    const ada = await user("ada");
    await ada.run("group", "create", "Team");
    const { status, stdout } = await latchkey(["invite", "create", "Team"], { env: { LATCHKEY_HOME: ada.home } });
    assert.equal(status, 0);
    assert.ok(!stdout.includes("\u001b"));
    const [link = ""] = /^latchkey:#[\w.-]+$/m.exec(stdout) ?? [];
    const [drawn = ""] = await readQrFromImage(encodePng(drawnModules(stdout)));
    assert.equal(inspectInvite(drawn).externalGroupId, inspectInvite(link).externalGroupId);
    assert.match(stdout, /Lasts until \d{4}-\d\d-\d\d /);
  });

  test("Ctrl-C while the service does not answer: exit 130, JOIN_ABORTED, and no group", async (t) => {
    const { user } = await world(t);
    const [ada, cleo] = [await user("ada"), await user("cleo")];
    const asked = Promise.withResolvers<undefined>();
    const service = createServer((request, response) => {
      if (request.method === "GET" && request.url?.startsWith("/v1/slots/") === true) asked.resolve(undefined);
      else request.resume().on("end", () => response.writeHead(request.method === "PUT" ? 201 : 404).end());
    });
    await once(service.listen(0, "127.0.0.1"), "listening");
    t.after(() => {
      service.closeAllConnections();
      service.close();
    });
    const serviceUrl = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    await ada.run("group", "create", "Team");
    const { url } = invite(await ada.run("invite", "create", "Team", "--invite-service", serviceUrl));
    const joining = cleo.start(t, "join", url);
    await asked.promise;
    joining.child.kill("SIGINT");
    const last = parseJson(String((await joining.lines().next()).value));
    assert.equal(field(last, "error")["code"], "JOIN_ABORTED");
    assert.equal(await joining.status, 130);
    assert.deepEqual((await cleo.run("group", "list"))["groups"], []);
  });
});
