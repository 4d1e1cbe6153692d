import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { Client, type Environment, type Group, type LinkProgress, type Transport } from "@latchkey/client";
import { generatedSigner, nodeEnvironment } from "@latchkey/client/node";
import { createNode } from "@latchkey/node";

/** How many groups of how many members one's own devices follow. */
export interface DevicesSetting {
  readonly groups: number;
  readonly members: number;
}

/** What following one's own devices takes on a node of this machine. */
export interface DevicesResult {
  /** From the last digit typed until the new device was added to all groups. */
  readonly linkMs: number;
  /** The same until it has opened them, and has the history of 100 messages. */
  readonly openMs: number;
  /** From the call that revokes until one sync has taken the device out of all groups. */
  readonly revokeMs: number;
  /** Requests to the node of a sync that finds nothing new. */
  readonly quietRequests: number;
}

/** A transport that counts its calls. */
function counted(transport: Transport): { readonly transport: Transport; readonly count: { calls: number } } {
  const count = { calls: 0 };
  const handler: ProxyHandler<Transport> = {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        count.calls++;
        return (value as (...given: unknown[]) => unknown).apply(target, args);
      };
    },
  };
  return { transport: new Proxy(transport, handler), count };
}

/** Groups of the owner that still have leaves of an installation. */
function having(groups: readonly Group[], inboxId: string, installationId: string): number {
  const isIn = (group: Group) =>
    group.members().some((member) => member.inboxId === inboxId && member.installations.includes(installationId));
  return groups.filter(isIn).length;
}

/** Measures linking, revoking and a quiet sync, with real clients, databases and a node over its network API. */
export async function measureDevices({ groups, members }: DevicesSetting): Promise<DevicesResult> {
  const directory = mkdtempSync(join(tmpdir(), "latchkey-devices-"));
  const node = await createNode({ dataDir: join(directory, "node") });
  const clients: Client[] = [];
  const environment = (name: string): Environment =>
    nodeEnvironment({ dbPath: join(directory, `${name}.db`), nodeUrl: node.url, keepInvitesFresh: false });
  const open = async (client: Promise<Client>): Promise<Client> => {
    const opened = await client;
    clients.push(opened);
    return opened;
  };
  try {
    const others: string[] = [];
    for (let index = 1; index < members; index++) {
      others.push((await open(Client.create(generatedSigner(), environment(`member ${index}`)))).inboxId);
    }
    const parts = environment("laptop");
    const { transport, count } = counted(parts.transport);
    const laptop = await open(Client.create(generatedSigner(), { ...parts, transport }));
    for (let index = 0; index < groups; index++) {
      const group = await laptop.conversations.createGroup(others, { name: `Group ${index}` });
      await group.send("hello");
    }
    await laptop.conversations.sync();

    const { linkMs, openMs, phone } = await measureLink(laptop, environment("phone"), open);
    const own = laptop.conversations.list();
    const { installationId, inboxId } = phone;
    if (having(own, inboxId, installationId) !== groups || phone.conversations.list().length !== groups) {
      throw new Error("the linked device is not in all groups");
    }
    await laptop.conversations.sync();
    count.calls = 0;
    await laptop.conversations.sync();
    const quietRequests = count.calls;

    const started = performance.now();
    await laptop.revokeInstallations([installationId]);
    await laptop.conversations.sync();
    const revokeMs = performance.now() - started;
    const left = having(own, inboxId, installationId);
    if (left > 0) throw new Error(`the revoked device is still in ${left} groups after one sync`);
    return { linkMs, openMs, revokeMs, quietRequests };
  } finally {
    for (const client of clients) client.close();
    await node.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Links a device by a code that the new one shows. */
async function measureLink(
  laptop: Client,
  phoneEnvironment: Environment,
  open: (client: Promise<Client>) => Promise<Client>,
): Promise<Pick<DevicesResult, "linkMs" | "openMs"> & { readonly phone: Client }> {
  let [typedAt, addedAt] = [NaN, NaN];
  const shown = Promise.withResolvers<string>();
  const digits = Promise.withResolvers<string>();
  const linking = open(
    Client.linkNewDevice(phoneEnvironment, {
      onProgress: (progress) => {
        if (progress.step === "code") shown.resolve(progress.code.text);
        if (progress.step === "digits") digits.resolve(progress.digits);
      },
    }),
  );
  const readDigits = async () => {
    const typed = await digits.promise;
    typedAt = performance.now();
    return typed;
  };
  const onProgress = (progress: LinkProgress) => {
    if (progress.step === "adding" && progress.added === progress.total) addedAt = performance.now();
  };
  const [phone] = await Promise.all([
    linking,
    shown.promise.then((code) => laptop.linkDevice({ code, readDigits, onProgress })),
  ]);
  return { linkMs: addedAt - typedAt, openMs: performance.now() - typedAt, phone };
}
