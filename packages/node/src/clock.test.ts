import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { utf8 } from "@latchkey/mls";
import { IDENTITY_AS_OF_HEADER } from "@latchkey/xmtp";
import { StampClock } from "./clock.ts";
import { connect, fieldsOf, groupMessage, PROTOCOLS, startNode, temporaryDirectory } from "./testing/support.ts";

const SECOND_NS = 1_000_000_000n;

/** A clock at one million seconds, whose wall and monotonic clock a test moves. */
function movable(lastStampNs = 0n) {
  const at = { wallNs: 1_000_000n * SECOND_NS, monotonicNs: 0n };
  const clocks = { wallNs: () => at.wallNs, monotonicNs: () => at.monotonicNs };
  const pass = (seconds: bigint) => {
    at.wallNs += seconds * SECOND_NS;
    at.monotonicNs += seconds * SECOND_NS;
  };
  return { at, clocks, pass, clock: new StampClock(clocks, lastStampNs) };
}

describe("the clock that a node stamps by", () => {
  test("it is the wall clock as long as nobody sets that", () => {
    const { at, clock, pass } = movable();
    for (const seconds of [1n, 59n, 86_400n, 0n]) {
      pass(seconds);
      assert.equal(clock.nowNs(), at.wallNs);
      assert.equal(clock.offsetNs(), 0n);
    }
  });

  test("TRU-09 set forward by an hour, it follows by 60 s at once and by 60 s for each minute that passes", () => {
    const { at, clock, pass } = movable();
    const before = clock.nowNs();
    at.wallNs += 3_600n * SECOND_NS;
    assert.equal(clock.nowNs() - before, 60n * SECOND_NS);
    assert.equal(clock.nowNs() - before, 60n * SECOND_NS);
    assert.equal(clock.offsetNs(), -3_540n * SECOND_NS);
    pass(30n);
    assert.equal(clock.nowNs() - before, 120n * SECOND_NS);
    for (let minute = 0; minute < 60; minute++) {
      pass(60n);
      clock.nowNs();
    }
    assert.equal(clock.offsetNs(), 0n);
  });

  test("TRU-09 a wall clock that is an hour ahead for a moment leaves the stamps 60 s ahead at most", () => {
    const { at, clock, pass } = movable();
    at.wallNs += 3_600n * SECOND_NS;
    clock.nowNs();
    at.wallNs -= 3_600n * SECOND_NS;
    assert.equal(clock.offsetNs(), 60n * SECOND_NS);
    pass(120n);
    assert.equal(clock.offsetNs(), 0n);
  });

  test("TRU-09 set back, it never goes back and never stands still", () => {
    const { at, clock, pass } = movable();
    const before = clock.nowNs();
    at.wallNs -= 600n * SECOND_NS;
    assert.equal(clock.nowNs(), before);
    pass(60n);
    assert.equal(clock.nowNs() - before, 30n * SECOND_NS);
    assert.equal(clock.offsetNs(), 570n * SECOND_NS);
  });

  test("TRU-09 it starts behind the newest stamp that was given, and ignores a monotonic clock that goes back", () => {
    const { at, clock } = movable(2_000_000n * SECOND_NS);
    const first = clock.nowNs();
    assert.equal(first, 2_000_000n * SECOND_NS + 1n);
    at.monotonicNs -= SECOND_NS;
    assert.equal(clock.nowNs(), first);
  });
});

const TOPIC = new Uint8Array(32).fill(7);
let stored = 0;

/** Stores a Welcome and then a message of a group; returns the times that the node gave them. */
async function storedStamps(t: TestContext, url: string): Promise<{ welcome: bigint; message: bigint }> {
  const { mls } = connect(t, url);
  const welcome = { installationKey: TOPIC, data: utf8(`welcome ${++stored}`), hpkePublicKey: utf8("key") };
  await mls.sendWelcomeMessages({ messages: [{ version: { case: "v1", value: welcome } }] });
  await mls.sendGroupMessages({ messages: [groupMessage(TOPIC, `message ${stored}`)] });
  const welcomes = await mls.queryWelcomeMessages({ installationKey: TOPIC });
  const messages = await mls.queryGroupMessages({ groupId: TOPIC });
  const newest = welcomes.messages.map(({ version }) => version.value?.createdNs ?? 0n);
  const times = messages.messages.map((entry) => fieldsOf(entry).createdNs);
  const largest = (all: readonly bigint[]) => all.reduce((a, b) => (a > b ? a : b), 0n);
  return { welcome: largest(newest), message: largest(times) };
}

/** The headers of an answer about no identity log at all. */
async function identityHeaders(t: TestContext, url: string, protocol: (typeof PROTOCOLS)[number]): Promise<Headers> {
  const { identity } = connect(t, url, protocol);
  let headers = new Headers();
  const onHeader = (received: Headers) => void (headers = received);
  await identity.getIdentityUpdates({ requests: [] }, { onHeader });
  return headers;
}

describe("the stamps of a node", () => {
  test("TRU-09 no log goes back behind another one over a restart with a clock that was set back", async (t) => {
    const dataDir = temporaryDirectory(t);
    const first = await startNode(t, { dataDir });
    const before = await storedStamps(t, first.url);
    await first.close();
    const hourNs = 3_600n * SECOND_NS;
    const second = await startNode(t, { dataDir, nowNs: () => BigInt(Date.now()) * 1_000_000n - hourNs });
    const after = await storedStamps(t, second.url);
    assert.ok(after.welcome > before.message && after.message > after.welcome && before.message > before.welcome);
    const health = (await (await fetch(`${second.url}/healthz`)).json()) as { status: string; clockOffsetMs: number };
    assert.equal(health.status, "ok");
    assert.ok(Math.abs(health.clockOffsetMs - 3_600_000) < 60_000, `${health.clockOffsetMs} ms`);
  });

  for (const protocol of PROTOCOLS) {
    test(`IDN-02 answers about identity logs say as of which time they are (${protocol})`, async (t) => {
      let nowNs = 5n;
      const { url } = await startNode(t, { clock: { wallNs: () => nowNs, monotonicNs: () => nowNs } });
      assert.equal((await identityHeaders(t, url, protocol)).get(IDENTITY_AS_OF_HEADER), "5");
      nowNs = 90n;
      const headers = await identityHeaders(t, url, protocol);
      assert.equal(headers.get(IDENTITY_AS_OF_HEADER), "90");
      // Browsers show a page only the headers that are listed here.
      assert.match(headers.get("access-control-expose-headers") ?? "", new RegExp(IDENTITY_AS_OF_HEADER));
    });
  }
});
