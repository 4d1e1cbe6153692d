import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Client, httpSlots, type Environment } from "@latchkey/client";
import { generatedSigner } from "@latchkey/client/node";
import { concatBytes, hpkeSeal, utf8 } from "@latchkey/mls";
import { XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import type { LinkCode } from "../../packages/client/src/link/code.ts";
import { openingBox } from "../../packages/client/src/link/key-schedule.ts";
import { LinkMailbox } from "../../packages/client/src/link/mailbox.ts";
import { openByReading, openByShowing } from "../../packages/client/src/link/opening.ts";
import { codesOf, link, type LinkOutcome, type LinkScript } from "./linking.ts";
import { linkContext, Photographer, sealBox } from "./photographer.ts";
import { TestClock, World, type Device, type Wrap } from "./support.ts";

/** An inbox whose wallet counts what it is asked to sign. */
async function owner(t: TestContext): Promise<{ world: World; old: Device; asked: string[] }> {
  const world = await World.start(t);
  const wallet = generatedSigner();
  const asked: string[] = [];
  const signMessage = (text: string) => {
    asked.push(text);
    return wallet.signMessage(text);
  };
  const old = await world.device("old", { signer: { identifier: wallet.identifier, signMessage } });
  asked.length = 0;
  return { world, old, asked };
}

/** A node that tells no time. */
function silent(environment: Environment): Environment {
  const { transport } = environment;
  const getIdentityUpdates: typeof transport.getIdentityUpdates = async (...asked) => [
    ...(await transport.getIdentityUpdates(...asked)),
  ];
  return {
    ...environment,
    transport: Object.assign(Object.create(transport) as typeof transport, { getIdentityUpdates }),
  };
}

/** Nothing was signed: the inbox has one device, and the new one is as empty as before. */
async function requireNothingSigned(world: World, old: Device, asked: readonly string[], outcome: LinkOutcome) {
  assert.deepEqual(asked, []);
  const { installations, accounts } = await old.client.inboxState();
  assert.deepEqual([installations.length, accounts.length], [1, 1]);
  assert.equal(outcome.client, undefined);
  const { store } = world.environment(world.path("phone.db"), new TestClock());
  assert.equal(store.identity.get("self"), undefined);
  assert.deepEqual([store.keyPackages.list(), store.deviceLinks.list()], [[], []]);
  store.close();
}

interface Attack {
  readonly onCode?: (they: Photographer) => Promise<void>;
  readonly onDigits?: (they: Photographer) => Promise<void>;
}

/** Attacks of whoever sees the code, each in both directions. */
const ATTACKS: Readonly<Record<string, Attack>> = {
  "fills the first box before the reader": { onCode: (they) => they.fill(0) },
  "fills the first box after the reader": { onDigits: (they) => they.fill(0) },
  "fills the second box in the last moment": { onDigits: (they) => they.fill(1) },
  "fills the third box before it is needed": { onCode: (they) => they.fill(2) },
  "closes the first box": { onCode: (they) => they.close(0) },
  "closes the second box": { onCode: (they) => they.close(1) },
  "closes the third box": { onCode: (they) => they.close(2) },
  "floods the first box until the genuine blob is gone": {
    onDigits: async (they) => {
      for (let count = 0; count < 9; count++) await they.fill(0);
    },
  },
};

for (const [title, attack] of Object.entries(ATTACKS)) {
  test(`DEV-07 a photographer of the code ${title}: both are told LINK_DISTURBED, nothing is signed`, async (t) => {
    const { world, old, asked } = await owner(t);
    for (const shows of ["old", "new"] as const) {
      let they: Photographer | undefined;
      const script: LinkScript = {
        shows,
        onCode: async (text) => {
          they = new Photographer(old.environment, text);
          await attack.onCode?.(they);
          return text;
        },
        onDigits: async () => {
          if (they !== undefined) await attack.onDigits?.(they);
        },
      };
      const outcome = await link(t, world, old, "phone", script);
      assert.deepEqual(codesOf(outcome), { old: "LINK_DISTURBED", new: "LINK_DISTURBED" }, shows);
      await requireNothingSigned(world, old, asked, outcome);
    }
  });
}

test("DEV-07 a photographer who is faster than the new device: that one is told, and no digits fit", async (t) => {
  const { world, old, asked } = await owner(t);
  const stranger = await world.device("stranger");
  const stop = new AbortController();
  t.after(() => stop.abort());
  let theirs: Promise<string> | undefined;
  const outcome = await link(t, world, old, "phone", {
    shows: "old",
    onCode: async (text) => {
      const { code } = new Photographer(stranger.environment, text);
      theirs = openByReading(linkContext(stranger.environment), code, stop.signal).then(({ digits }) => digits);
      await theirs;
      return text;
    },
    // The new device shows none, so a person has none to type.
    old: { readDigits: () => "" },
  });
  assert.match((await theirs) ?? "", /^\d{6}$/);
  assert.deepEqual(codesOf(outcome), { old: "LINK_FAILED", new: "LINK_DISTURBED" });
  await requireNothingSigned(world, old, asked, outcome);
});

test("DEV-07 somebody between the devices, by a swapped code, shows other digits: nothing is signed", async (t) => {
  const { world, old, asked } = await owner(t);
  const stranger = await world.device("stranger");
  const context = linkContext(stranger.environment);
  const stop = new AbortController();
  t.after(() => stop.abort());
  const outcome = await link(t, world, old, "phone", {
    shows: "old",
    onCode: (text) => {
      const { code } = new Photographer(stranger.environment, text);
      // They speak to the old device as the new one, and to the new one as the old one.
      void openByReading(context, code, stop.signal).catch(() => undefined);
      return new Promise((resolve) => {
        const side = { role: "old", inboxId: code.inboxId } as const;
        void openByShowing(context, side, resolve, stop.signal).catch(() => undefined);
      });
    },
  });
  assert.deepEqual(codesOf(outcome), { old: "LINK_FAILED", new: "LINK_EXPIRED" });
  await requireNothingSigned(world, old, asked, outcome);
});

test("DEV-07 keys that are ground behind the old device's nonce do not fit the commitment: LINK_DISTURBED", async (t) => {
  const { world, old, asked } = await owner(t);
  const { crypto } = old.environment;
  const suite = crypto.suite(XMTP_CIPHER_SUITE);
  // A reader whose key changes between commitment and revelation, as it has to when digits are ground.
  let reveals = 0;
  const grinding: Wrap = (environment) => ({
    ...environment,
    slots: {
      ...environment.slots,
      upload: async (slot, blob, signal) => {
        if (++reveals !== 2) return environment.slots.upload(slot, blob, signal);
        return environment.slots.upload(slot, await ground(), signal);
      },
    },
  });
  let code: LinkCode | undefined;
  let committed: Uint8Array | undefined;
  const ground = async () => {
    assert.ok(code !== undefined);
    const box = openingBox(suite, code.secret, 2);
    const first = openingBox(suite, code.secret, 0);
    const second = openingBox(suite, code.secret, 1);
    const mailbox = new LinkMailbox(linkContext(old.environment), { url: code.serviceUrl, slots: httpSlots });
    committed = (await mailbox.peek(first, AbortSignal.timeout(10_000)))?.plaintext;
    const nonce = (await mailbox.peek(second, AbortSignal.timeout(10_000)))?.plaintext;
    assert.ok(committed !== undefined && nonce !== undefined);
    const other = crypto.randomBytes(64);
    const info = utf8("latchkey link 1 reveal");
    const sealed = await hpkeSeal(suite, code.publicKey, info, concatBytes(committed, nonce), other);
    return sealBox(old.environment, box, concatBytes(sealed.kemOutput, sealed.ciphertext));
  };
  const outcome = await link(t, world, old, "phone", {
    shows: "old",
    wrap: grinding,
    onCode: (text) => {
      ({ code } = new Photographer(old.environment, text));
      return text;
    },
    new: {},
  });
  assert.equal(reveals >= 2, true);
  assert.deepEqual(codesOf(outcome), { old: "LINK_DISTURBED", new: "LINK_DISTURBED" });
  await requireNothingSigned(world, old, asked, outcome);
});

test("DEV-07 wrong digits: one try, both are told LINK_FAILED", async (t) => {
  const { world, old, asked } = await owner(t);
  const wrong = (digits: string) => digits.replaceAll(/\d/g, (digit) => String((Number(digit) + 1) % 10));
  for (const shows of ["old", "new"] as const) {
    const outcome = await link(t, world, old, "phone", { shows, type: wrong });
    assert.deepEqual(codesOf(outcome), { old: "LINK_FAILED", new: "LINK_FAILED" });
    assert.equal(outcome.errors.new?.data["reason"], "digits");
    await requireNothingSigned(world, old, asked, outcome);
  }
});

test("DEV-07 a code that was used is worth nothing: a second reader is told LINK_DISTURBED, later LINK_EXPIRED", async (t) => {
  const { world, old } = await owner(t);
  let code = "";
  const first = await link(t, world, old, "phone", { shows: "old", onCode: (text) => (code = text) });
  assert.deepEqual(codesOf(first), { old: undefined, new: undefined });
  for (const [expected, ahead] of [
    ["LINK_DISTURBED", 0],
    ["LINK_EXPIRED", 121_000],
  ] as const) {
    const clock = new TestClock();
    clock.forward(ahead);
    const environment = world.environment(world.path("thief.db"), clock);
    // A node that tells no time: the clock of the reader counts.
    await assert.rejects(Client.linkNewDevice(silent(environment), { code }), { code: expected });
  }
  assert.equal((await old.client.inboxState()).installations.length, 2);
});

test("DEV-07 nobody reads the code, or types the digits: LINK_EXPIRED after two minutes", async (t) => {
  const { world, old, asked } = await owner(t);
  const alone = old.client.linkDevice({ readDigits: () => "000000" });
  await assert.rejects(alone, { code: "LINK_EXPIRED" });
  const never = await link(t, world, old, "phone", {
    shows: "old",
    old: { readDigits: () => new Promise<string>(() => setImmediate(() => old.clock.forward(121_000))) },
  });
  assert.deepEqual(codesOf(never), { old: "LINK_EXPIRED", new: "LINK_EXPIRED" });
  await requireNothingSigned(world, old, asked, never);
});
