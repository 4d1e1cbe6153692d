import assert from "node:assert/strict";
import { test } from "node:test";
import { LatchkeyError } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { wrapGroupInfo, XMTP_CIPHER_SUITE, type InvitePayload } from "@latchkey/xmtp";
import { systemClock } from "../clock.ts";
import { fetchInTurn, resolveService, servicesToAsk, type ReachableService } from "./service.ts";
import { httpSlots } from "./slots.ts";
import type { SlotContents, SlotService } from "../transport/slot-service.ts";

const own = "https://own.example";
const context = { crypto: nodeCrypto, slots: httpSlots, clock: systemClock, inviteServiceUrl: own };
const opaque = { kind: "opaque", bytes: Uint8Array.of(0xff, 7) } as const;
const payload: InvitePayload = {
  servicePointer: { kind: "https_url", url: "https://far.example" },
  externalGroupId: new Uint8Array(16).fill(7),
  symmetricKey: new Uint8Array(32).fill(9),
};

const genuine = wrapGroupInfo({
  suite: nodeCrypto.suite(XMTP_CIPHER_SUITE),
  key: payload.symmetricKey,
  groupInfo: Uint8Array.of(1),
  epoch: 1n,
  groupStateHash: new Uint8Array(32),
  expiresAtNs: 0n,
});

/** A service that answers look-ups as told, and notes the tags it is asked with. */
function service(url: string, answer: () => SlotContents) {
  const tags: (string | undefined)[] = [];
  const slots: SlotService = {
    ...httpSlots,
    async fetch(_slot, options = {}) {
      tags.push(options.unless);
      return answer();
    },
  };
  return { service: { url, slots } satisfies ReachableService, tags };
}

const holds = (...blobs: Uint8Array[]) => ({ blobs, tag: '"t"', waiting: undefined });
const fails = (code: string): never => {
  throw new LatchkeyError(code, "made up by a test");
};

test("INVITE_POINTER_OPAQUE: an opaque pointer is for the application to find; without it, or without success, it says so", async () => {
  const code = "INVITE_POINTER_OPAQUE";
  await assert.rejects(resolveService(context, opaque), { code, message: /resolvePointer/ });
  await assert.rejects(resolveService({ ...context, resolvePointer: () => undefined }, opaque), { code });
  const broken = () => {
    throw new Error("no idea");
  };
  await assert.rejects(resolveService({ ...context, resolvePointer: broken }, opaque), { code });
  const byAddress = await resolveService({ ...context, resolvePointer: () => "https://app.example/x/" }, opaque);
  assert.deepEqual(byAddress, { url: "https://app.example/x", slots: httpSlots });
  const slots = { ...httpSlots, fetch: async () => holds(Uint8Array.of(7)) };
  const byService = await resolveService({ ...context, resolvePointer: async () => slots }, opaque);
  assert.equal(byService.url, "opaque:ff07");
  const slot = { serviceUrl: byService.url, externalGroupId: Uint8Array.of(1) };
  assert.deepEqual(await byService.slots.fetch(slot), holds(Uint8Array.of(7)));
  const plain = { ...context, resolvePointer: () => "http://app.example" };
  await assert.rejects(resolveService(plain, opaque), { code: "INVITE_MALFORMED" });
});

test("LocalAddress: plain http leads to this machine where that was allowed, or where the client's own service is such a one", async () => {
  const here = { kind: "opaque", bytes: new TextEncoder().encode("http://127.0.0.1:1") } as const;
  const found = { url: "http://127.0.0.1:1", slots: httpSlots };
  await assert.rejects(resolveService(context, here), { code: "INVITE_MALFORMED", rule: "LocalAddress" });
  assert.deepEqual(await resolveService({ ...context, loopbackHttp: true }, here), found);
  const local = { ...context, inviteServiceUrl: "http://localhost:2" };
  assert.deepEqual(await resolveService(local, here), found);
  await assert.rejects(resolveService({ ...local, loopbackHttp: false }, here), { rule: "LocalAddress" });
});

test("TRU-15 LocalAddress: https leads to this machine or into its network only where that was allowed", async () => {
  const hosts = [
    [
      "127.0.0.1",
      "127.1",
      "2130706433",
      "0x7f000001",
      "017700000001",
      "0.0.0.0",
      "[::1]",
      "[::]",
      "[::ffff:127.0.0.1]",
    ],
    ["[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[64:ff9b:1::1]", "[fe80::1]", "[fd00::1]", "[ff02::1]"],
    ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "198.18.0.1"],
    ["224.0.0.1", "255.255.255.255", "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]", "[2002:c0a8:101::1]"],
    ["localhost", "localhost.", "LOCALHOST", "a.localhost", "printer.local", "db.internal.", "nas.home.arpa", "router"],
  ].flat();
  const at = (host: string) => ({ kind: "https_url", url: `https://${host}:9/x` }) as const;
  for (const host of hosts) {
    await assert.rejects(resolveService(context, at(host)), { code: "INVITE_MALFORMED", rule: "LocalAddress" }, host);
    assert.ok((await resolveService({ ...context, loopbackHttp: true }, at(host))).url.startsWith("https://"));
  }
  const open = ["172.32.0.1", "11.0.0.1", "[2606:4700::1]", "[::ffff:8.8.8.8]", "local.example", "notlocalhost.com"];
  for (const host of [...open, "far.example."]) await resolveService(context, at(host));

  // The client's own service may be in its network, which opens no other address there.
  const inviteServiceUrl = "https://192.168.1.10:9";
  for (const loopbackHttp of [{}, { loopbackHttp: false }]) {
    const near = { ...context, inviteServiceUrl, ...loopbackHttp };
    assert.equal((await resolveService(near, at("192.168.1.10"))).url, `${inviteServiceUrl}/x`);
    await assert.rejects(resolveService(near, at("192.168.1.1")), { rule: "LocalAddress" });
  }
  // An application's own resolver is held to it as well.
  const resolvePointer = () => "https://127.0.0.1";
  await assert.rejects(resolveService({ ...context, resolvePointer }, opaque), { rule: "LocalAddress" });
});

test("the service that an invite names is asked first, then the client's own; each once", async () => {
  const urls = async (one: Partial<InvitePayload>, inviteServiceUrl?: string) =>
    (await servicesToAsk({ ...context, inviteServiceUrl }, { ...payload, ...one })).map(({ url }) => url);
  assert.deepEqual(await urls({}, own), ["https://far.example", own]);
  assert.deepEqual(await urls({}, "https://FAR.example/"), ["https://far.example"]);
  assert.deepEqual(await urls({}), ["https://far.example"]);
  assert.deepEqual(await urls({ servicePointer: undefined }, own), [own]);
  await assert.rejects(urls({ servicePointer: undefined }), { code: "INVITE_MALFORMED" });
});

test("SEC-11 the next service is asked when one fails, is empty, or holds junk only; its tag stays with it", async () => {
  const second = service("b", () => holds(genuine));
  for (const first of [
    () => fails("NODE_UNREACHABLE"),
    () => fails("INVITE_UNKNOWN_SLOT"),
    () => holds(Uint8Array.of(1, 2, 3)),
  ]) {
    const { service: a, tags } = service("a", first);
    const fetch = fetchInTurn(context, [a, second.service], payload);
    assert.deepEqual((await fetch({})).blobs, [genuine]);
    await fetch({ unless: '"t"' });
    assert.deepEqual(
      [tags, second.tags.splice(0)],
      [
        [undefined, undefined],
        [undefined, '"t"'],
      ],
    );
  }
  const enough = service("a", () => holds(genuine));
  await fetchInTurn(context, [enough.service, second.service], payload)({});
  assert.deepEqual(second.tags, []);
});

test("when no service has anything that opens, the first that has something, or the first failure, is what is told", async () => {
  const junk = service("a", () => holds(Uint8Array.of(1)));
  const down = service("b", () => fails("NODE_UNREACHABLE"));
  const empty = service("c", () => fails("INVITE_UNKNOWN_SLOT"));
  assert.deepEqual((await fetchInTurn(context, [down.service, junk.service, empty.service], payload)({})).blobs, [
    Uint8Array.of(1),
  ]);
  await assert.rejects(fetchInTurn(context, [down.service, empty.service], payload)({}), { code: "NODE_UNREACHABLE" });
  const stopped = AbortSignal.abort();
  await assert.rejects(fetchInTurn(context, [down.service, junk.service], payload)({ signal: stopped }), {
    code: "NODE_UNREACHABLE",
  });
  assert.equal(junk.tags.length, 1);
});
