import { existsSync } from "node:fs";
import { Client, codeOf, LatchkeyError } from "@latchkey/client";
import { circle, groupIn, inputOf, sights, standingOf, type Input, type Operation, type Scene } from "./scene.ts";
import { hurriedClock, realEnvironment, type Scenario } from "./scenario.ts";

/** Where the new device's databases are, and how they are opened; in `link` of the input, for other processes too. */
interface NewDevice {
  readonly dbPath: string;
  readonly nodeUrl: string;
  readonly dbKey: string;
}

function newDeviceOf({ link }: Input): NewDevice {
  return JSON.parse(link) as NewDevice;
}

/** A device that an earlier try has left may be finished by it; each try has a device of its own. */
function pathOf({ dbPath }: NewDevice, attempt: number): string {
  return `${dbPath}.${attempt}`;
}

function environmentAt(device: NewDevice, attempt: number) {
  return realEnvironment({ ...device, dbPath: pathOf(device, attempt), clock: hurriedClock() });
}

/** Links a new device, which gives up as soon as the old one has ended. */
async function linkOnce(client: Client, input: Input): Promise<void> {
  const device = newDeviceOf(input);
  let attempt = 1;
  while (existsSync(pathOf(device, attempt))) attempt++;
  const code = Promise.withResolvers<string>();
  const digits = Promise.withResolvers<string>();
  const stop = new AbortController();
  const linking = Client.linkNewDevice(environmentAt(device, attempt), {
    signal: stop.signal,
    onProgress: (progress) => {
      if (progress.step === "code") code.resolve(progress.code.text);
      if (progress.step === "digits") digits.resolve(progress.digits);
    },
  }).then(
    (opened) => opened.close(),
    (error: unknown) => {
      code.reject(error);
      digits.reject(error);
    },
  );
  digits.promise.catch(() => undefined);
  try {
    await client.linkDevice({ code: await code.promise, readDigits: () => digits.promise });
  } finally {
    stop.abort(new LatchkeyError("CLIENT_CLOSED", "the old device has ended the link"));
    await linking;
  }
}

/** The devices of all tries that are part of the inbox: those that open. */
async function openLinked({ input }: Scene): Promise<Client[]> {
  const device = newDeviceOf(input);
  const clients: Client[] = [];
  for (let attempt = 1; existsSync(pathOf(device, attempt)); attempt++) {
    try {
      clients.push(await Client.create(undefined, environmentAt(device, attempt)));
    } catch (error) {
      if (!["SIGNER_MISSING", "LINK_OPEN"].includes(codeOf(error) ?? "")) throw error;
    }
  }
  return clients;
}

/** Installations of the own inbox in the group, as each member sees it. */
function installationCounts(scenario: Scenario, { input, victim }: Scene): number[] {
  const counts: number[] = [];
  sights(scenario, input, (group) => {
    const entry = group.members().find(({ inboxId }) => inboxId === victim.client.inboxId);
    return counts.push(entry?.installations.length ?? 0) > 0;
  });
  return counts;
}

/** The old device of a link: the inbox has a new device, and that is in the group, or neither. */
export const linkDevice: Operation = {
  name: "link-device",
  async prepare(scenario) {
    const { admin, group } = await circle(scenario);
    await group.send("before the link");
    const { dbPath, nodeUrl, dbKey } = admin;
    return {
      victim: admin,
      input: inputOf({ groupId: group.id, link: JSON.stringify({ dbPath: `${dbPath}.new`, nodeUrl, dbKey }) }),
    };
  },
  run: linkOnce,
  standing: (scenario, scene) => standingOf(installationCounts(scenario, scene).map((count) => count > 1)),
  async proof(_, scene) {
    const clients = await openLinked(scene);
    try {
      const { environment, client } = scene.victim;
      if (environment?.store.deviceLinks.list().length !== 0) throw new Error("a link is left open");
      const { installations } = await client.inboxState();
      if (clients.length === 0 || installations.length !== 1 + clients.length) {
        throw new Error(`the inbox has ${installations.length} devices, and ${clients.length} linked ones open`);
      }
      for (const linked of clients) {
        await linked.conversations.sync();
        await groupIn(linked, scene.input).send("from the new device");
      }
      await client.conversations.sync();
      const sent = groupIn(client, scene.input)
        .messages()
        .filter(({ text }) => text === "from the new device");
      if (sent.length !== clients.length) throw new Error("a message of the new device is missing");
    } finally {
      for (const linked of clients) linked.close();
    }
  },
};
