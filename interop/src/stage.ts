import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generatePrivateKey, privateKeyToAccount, type PrivateKeyAccount } from "viem/accounts";
import { nodeEnvironment, walletSigner } from "@latchkey/client/node";
import { Client, type Environment } from "@latchkey/client";
import { loadNativeLibrary, type NativeLibrary } from "./native-library.ts";
import { openNative, type Native } from "./native.ts";
import { startNodeProcess, type NodeProcess } from "./node-process.ts";
import { startWire, type Wire } from "./wire.ts";

/** One thing that was shown to hold, or that failed. */
export interface Case {
  readonly scenario: string;
  readonly case: string;
  readonly passed: boolean;
  readonly ms: number;
  readonly error?: string;
}

/** What a scenario runs on: one node, one line to it, and a directory; all of it goes when the scenario is over. */
export interface Stage {
  readonly library: NativeLibrary;
  readonly node: NodeProcess;
  readonly wire: Wire;
  readonly newWallet: () => PrivateKeyAccount;
  /**
   * A native client of this wallet, a fresh one unless given. A new name is a new installation; a name that was used
   * before is the same installation, closed and opened again.
   */
  readonly native: (
    name: string,
    wallet?: PrivateKeyAccount,
    options?: { readonly commitLogEveryMs?: number },
  ) => Promise<Native>;
  /** The same for a client of ours. */
  readonly ours: (name: string, wallet?: PrivateKeyAccount) => Promise<Client>;
  /** The same with the parts it runs on, for acts that the client refuses. */
  readonly device: (name: string, wallet?: PrivateKeyAccount) => Promise<Device>;
  /** Runs one case; a failure ends the scenario. */
  readonly step: <T>(title: string, action: () => Promise<T>) => Promise<T>;
}

/** A client of ours, and what it runs on. */
export interface Device {
  readonly client: Client;
  readonly environment: Environment;
}

/** A scenario: a title that begins with its number in the issue, and what it does. */
export interface Scenario {
  readonly title: string;
  readonly run: (stage: Stage) => Promise<void>;
}

const LOG_LEVELS = { "": "Off", error: "Error", warn: "Warn", info: "Info", debug: "Debug" } as const;

function logLevel(): (typeof LOG_LEVELS)[keyof typeof LOG_LEVELS] {
  const wanted = process.env["INTEROP_LOG"] ?? "";
  return wanted in LOG_LEVELS ? LOG_LEVELS[wanted as keyof typeof LOG_LEVELS] : "Off";
}

/** Runs a scenario and reports each case as it ends. Returns whether all of it held. */
export async function runScenario(
  { title, run }: Scenario,
  report: (outcome: Case) => void,
  captureFile: string | undefined,
): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), "latchkey-interop-"));
  const cleanups: (() => unknown)[] = [() => rmSync(directory, { recursive: true })];
  const open = new Map<string, () => unknown>();
  let current = "the stage is set";
  let startedMs = performance.now();
  try {
    const library = await loadNativeLibrary();
    const node = await startNodeProcess(join(directory, "node"));
    cleanups.push(() => node.stop());
    const wire = await startWire(node.url, captureFile);
    cleanups.push(() => wire.close());

    const device = async (name: string, wallet = privateKeyToAccount(generatePrivateKey())): Promise<Device> => {
      const dbPath = join(directory, `ours-${name}.db`);
      await open.get(dbPath)?.();
      open.delete(dbPath);
      const environment = nodeEnvironment({ dbPath, nodeUrl: wire.url, inviteServiceUrl: node.url });
      const client = await Client.create(walletSigner(wallet), environment);
      open.set(dbPath, () => client.close());
      return { client, environment };
    };
    await run({
      library,
      node,
      wire,
      newWallet: () => privateKeyToAccount(generatePrivateKey()),
      async native(name, wallet = privateKeyToAccount(generatePrivateKey()), options = {}) {
        const dbPath = join(directory, `native-${name}.db3`);
        await open.get(dbPath)?.();
        const native = await openNative({ library, url: wire.url, dbPath, wallet, logLevel: logLevel(), ...options });
        open.set(dbPath, () => native.client.close());
        return native;
      },
      ours: async (name, wallet) => (await device(name, wallet)).client,
      device,
      async step(caseTitle, action) {
        current = caseTitle;
        startedMs = performance.now();
        const result = await action();
        report({ scenario: title, case: caseTitle, passed: true, ms: Math.round(performance.now() - startedMs) });
        return result;
      },
    });
    return true;
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const ms = Math.round(performance.now() - startedMs);
    report({ scenario: title, case: current, passed: false, ms, error: text });
    return false;
  } finally {
    for (const close of [...open.values(), ...cleanups.reverse()]) await close();
  }
}
