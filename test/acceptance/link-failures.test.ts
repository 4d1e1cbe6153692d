import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Client,
  inspectInvite,
  LatchkeyError,
  previewInvite,
  type SlotService,
  type Transport,
} from "@latchkey/client";
import { codesOf, link } from "./linking.ts";
import { movableWorld } from "./movable-world.ts";
import { TestClock, World, type Wrap } from "./support.ts";

const DOWN = () => new LatchkeyError("NODE_UNREACHABLE", "the network is cut", { retryable: true });

/** An environment whose transport publishes identity updates by another function. */
function publishing(publish: (transport: Transport) => Transport["publishIdentityUpdate"]): Wrap {
  return (environment) => {
    const { transport } = environment;
    const changed = { publishIdentityUpdate: publish(transport) };
    return { ...environment, transport: Object.assign(Object.create(transport) as Transport, changed) };
  };
}

/** An environment whose invite service behaves otherwise. */
function serving(change: (slots: SlotService) => Partial<SlotService>): Wrap {
  return (environment) => ({ ...environment, slots: { ...environment.slots, ...change(environment.slots) } });
}

/** No update leaves. */
const MUTE = publishing(() => () => Promise.reject(DOWN()));
/** Updates arrive, and their answers are lost. */
const DEAF = publishing((transport) => async (update, signal) => {
  await transport.publishIdentityUpdate(update, signal);
  throw DOWN();
});

test("DEV-07 the code of a device is no invite: links, pictures and previews refuse it by name", async (t) => {
  const world = await World.start(t);
  const old = await world.device("old");
  const stop = new AbortController();
  const shown = new Promise<{ text: string; png: Uint8Array }>((resolve) => {
    const linking = old.client.linkDevice({
      readDigits: () => "",
      signal: stop.signal,
      onProgress: (progress) => {
        if (progress.step !== "code") return;
        const { code } = progress;
        assert.match(code.toQR("svg"), /<title>QR code of a device<\/title>/);
        assert.match(code.toQR("terminal"), /[▀▄█]/);
        resolve({ text: code.text, png: code.toQR("png") });
      },
    });
    linking.catch(() => undefined);
  });
  const { text, png } = await shown;
  stop.abort();
  const { conversations } = old.client;
  const wrong = { code: "INVITE_WRONG_KIND" };
  const link = `https://example.org/i#${text.toLowerCase()}`;
  for (const given of [text, text.toLowerCase(), `look: ${text}!`, link, encodeURIComponent(text), png]) {
    await assert.rejects(conversations.joinByInvite(given), wrong);
    await assert.rejects(conversations.previewInvite(given), wrong);
    if (typeof given === "string") assert.throws(() => inspectInvite(given), wrong);
  }
  await assert.rejects(previewInvite(text, old.environment), wrong);
  // And the other way round: an invite links nothing.
  const group = await conversations.createGroup([], { name: "Group" });
  const invite = await group.invites.create();
  for (const code of [invite.url, invite.toQR("png"), "a text", png.slice(0, 40)]) {
    await assert.rejects(old.client.linkDevice({ code, readDigits: () => "" }), (error: LatchkeyError) =>
      ["LINK_MALFORMED", "INVITE_NO_QR"].includes(error.code),
    );
  }
  await assert.rejects(old.client.linkDevice({ code: text, readDigits: () => "" }), { rule: "WrongSide" });
});

test("DEV-07 an inbox without room for one more device shows and reads no code, by both ways", async (t) => {
  const world = await World.start(t);
  const old = await world.device("old");
  for (let count = 1; count < 10; count++) await world.device(`device ${count}`, { signer: old.signer });
  const codes: string[] = [];
  const onProgress: NonNullable<Parameters<Client["linkDevice"]>[0]["onProgress"]> = ({ step }) => codes.push(step);
  for (const code of [undefined, "LATCHKEY-LINK:AAAA"]) {
    const options = { readDigits: () => "", onProgress, ...(code === undefined ? {} : { code }) };
    await assert.rejects(old.client.linkDevice(options), { code: "NOT_PERMITTED", rule: "TooManyInstallations" });
  }
  assert.deepEqual(codes, []);
});

test("DEV-07 a device that has an inbox is not linked to another one", async (t) => {
  const world = await World.start(t);
  const other = await world.device("other");
  const { inboxId } = other.client;
  other.client.close();
  const steps: string[] = [];
  const environment = world.environment(other.dbPath, new TestClock());
  const linking = Client.linkNewDevice(environment, { onProgress: ({ step }) => steps.push(step) });
  await assert.rejects(linking, { code: "LINK_NOT_EMPTY" });
  assert.deepEqual(steps, []);
  await world.restart(other);
  assert.equal(other.client.inboxId, inboxId);
});

test("DEV-07 the person does not know the inbox that the code leads to: the link ends before anything is signed", async (t) => {
  const world = await World.start(t);
  const old = await world.device("old");
  const asked: string[] = [];
  const confirmInbox = (inboxId: string) => asked.push(inboxId) < 0;
  const outcome = await link(t, world, old, "phone", { shows: "old", new: { confirmInbox } });
  assert.deepEqual(codesOf(outcome), { old: "LINK_FAILED", new: "LINK_FAILED" });
  assert.deepEqual([outcome.errors.old?.data["reason"], outcome.errors.new?.data["reason"]], ["inbox", "inbox"]);
  assert.deepEqual(asked, [old.client.inboxId]);
  assert.equal((await old.client.inboxState()).installations.length, 1);
});

test("DEV-07 the mailbox is gone for a while, and both devices go on where they stopped", async (t) => {
  const world = await World.start(t);
  let calls = 0;
  // Every third call reaches it.
  const sometimes = serving((slots) => ({
    fetch: (...asked) => (++calls % 3 === 0 ? slots.fetch(...asked) : Promise.reject(DOWN())),
    upload: (...asked) => (++calls % 3 === 0 ? slots.upload(...asked) : Promise.reject(DOWN())),
  }));
  const old = await world.device("old", { wrap: sometimes });
  const outcome = await link(t, world, old, "phone", { shows: "old", wrap: sometimes });
  assert.deepEqual(codesOf(outcome), { old: undefined, new: undefined });
});

test("DEV-07 the mailbox stays away: NODE_UNREACHABLE once two minutes are over, and nothing was signed", async (t) => {
  const { world, pass } = await movableWorld(t);
  let calls = 0;
  const away = serving(() => ({
    fetch: () => (++calls > 3 && pass(60), Promise.reject(DOWN())),
    upload: () => Promise.reject(DOWN()),
  }));
  const old = await world.device("old", { wrap: away });
  const outcome = await link(t, world, old, "phone", { shows: "old", wrap: away });
  assert.deepEqual(codesOf(outcome), { old: "NODE_UNREACHABLE", new: "NODE_UNREACHABLE" });
});

test("DEV-07 a hostile mailbox shows each device something else, or what another box holds: LINK_DISTURBED", async (t) => {
  const world = await World.start(t);
  const old = await world.device("old");
  const wrote: Uint8Array[] = [];
  const kinds: Record<string, Wrap> = {
    "another box": serving((slots) => ({
      upload: (slot, blob, signal) => (wrote.push(blob), slots.upload(slot, blob, signal)),
      fetch: async (slot, options) => {
        const found = await slots.fetch(slot, options);
        return { ...found, tag: undefined, blobs: found.blobs === undefined ? undefined : wrote.slice(0, 1) };
      },
    })),
    "a changed byte": serving((slots) => ({
      fetch: async (slot, options) => {
        const found = await slots.fetch(slot, options);
        const blobs = found.blobs?.map((blob) => Uint8Array.from(blob, (byte, at) => (at === 40 ? byte ^ 1 : byte)));
        return { ...found, tag: undefined, blobs };
      },
    })),
    "one blob more": serving((slots) => ({
      fetch: async (slot, options) => {
        const found = await slots.fetch(slot, options);
        return { ...found, tag: undefined, blobs: found.blobs && [...found.blobs, new Uint8Array(100)] };
      },
    })),
  };
  for (const [kind, wrap] of Object.entries(kinds)) {
    wrote.length = 0;
    const outcome = await link(t, world, old, "phone", {
      shows: "old",
      wrap,
      onNewEnd: () => old.clock.forward(121_000),
    });
    assert.equal(codesOf(outcome).new, "LINK_DISTURBED", kind);
    assert.ok(["LINK_DISTURBED", "LINK_EXPIRED"].includes(codesOf(outcome).old ?? ""), kind);
    assert.equal((await old.client.inboxState()).installations.length, 1);
  }
});

test("DEV-08 the answer to the publication is lost: the log shows that the device is in", async (t) => {
  const world = await World.start(t);
  const old = await world.device("old", { wrap: DEAF });
  // A client registers by the same way, so its own answers were lost as well.
  const outcome = await link(t, world, old, "phone", { shows: "new" });
  assert.deepEqual(codesOf(outcome), { old: undefined, new: undefined });
});

test("DEV-08 nothing leaves any more behind the signatures: LINK_OPEN on both sides, and the next starts finish it", async (t) => {
  const world = await World.start(t);
  const old = await world.device("old");
  await world.restart(old, MUTE);
  const stop = new AbortController();
  const outcome = await link(t, world, old, "phone", {
    shows: "old",
    onOldEnd: () => stop.abort(),
    new: { signal: stop.signal },
  });
  assert.deepEqual(codesOf(outcome), { old: "LINK_OPEN", new: "LINK_OPEN" });
  const installationId = outcome.errors.old?.data["installationId"];
  assert.equal(outcome.errors.new?.data["installationId"], installationId);
  const phonePath = world.path("phone.db");
  await assert.rejects(Client.create(undefined, world.environment(phonePath, new TestClock())), { code: "LINK_OPEN" });
  // The old device starts again within the time that both agreed on.
  await world.restart(old);
  assert.deepEqual(old.environment.store.deviceLinks.list(), []);
  assert.equal((await old.client.inboxState()).installations.length, 2);
  // The new one needs no code.
  const phone = await Client.linkNewDevice(world.environment(phonePath, new TestClock()));
  t.after(() => phone.close());
  assert.deepEqual([phone.inboxId, phone.installationId], [old.client.inboxId, installationId]);
});

test("DEV-08 the same, and the old device starts again too late: it publishes nothing, and the new one is empty again", async (t) => {
  const { world, pass } = await movableWorld(t);
  const old = await world.device("old");
  await world.restart(old, MUTE);
  const outcome = await link(t, world, old, "phone", { shows: "new", onOldEnd: () => pass(181) });
  assert.deepEqual(codesOf(outcome), { old: "LINK_OPEN", new: "LINK_OPEN" });
  await world.restart(old);
  assert.equal((await old.client.inboxState()).installations.length, 1);
  assert.deepEqual(old.environment.store.deviceLinks.list(), []);
  const environment = world.environment(world.path("phone.db"), new TestClock());
  const phone = await Client.create(old.signer, environment);
  t.after(() => phone.close());
  assert.notEqual(phone.installationId, outcome.errors.new?.data["installationId"]);
});
