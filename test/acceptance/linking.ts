import type { TestContext } from "node:test";
import {
  Client,
  LatchkeyError,
  type Environment,
  type LinkDeviceOptions,
  type LinkedDevice,
  type LinkNewDeviceOptions,
  type LinkProgress,
} from "@latchkey/client";
import { TestClock, type Device, type World, type Wrap } from "./support.ts";

/** What the person who holds both devices sees, and what may go wrong on the way. */
export interface LinkScript {
  /** Which device shows the code. */
  readonly shows: "old" | "new";
  /** The digits that are typed, by those that are shown; default: the same. */
  readonly type?: (digits: string) => string | Promise<string>;
  /** Called with the code before the other device reads it; it reads what this gives instead. */
  readonly onCode?: (text: string) => Promise<string | undefined> | string | undefined;
  /** Called when the new device shows the digits, before they are typed. */
  readonly onDigits?: () => Promise<void> | void;
  /** Called when the call of that device has ended. */
  readonly onOldEnd?: () => void;
  readonly onNewEnd?: () => void;
  readonly old?: Partial<LinkDeviceOptions>;
  readonly new?: Partial<LinkNewDeviceOptions>;
  /** Changes the environment of the new device. */
  readonly wrap?: Wrap;
}

/** How a link ended on each side: a value, or the code of the error. */
export interface LinkOutcome {
  readonly linked: LinkedDevice | undefined;
  readonly client: Client | undefined;
  readonly environment: Environment;
  readonly errors: { readonly old: LatchkeyError | undefined; readonly new: LatchkeyError | undefined };
  readonly steps: { readonly old: readonly LinkProgress[]; readonly new: readonly LinkProgress[] };
}

/** Codes of both sides; undefined for the one that succeeded. */
export function codesOf({ errors }: LinkOutcome): { old: string | undefined; new: string | undefined } {
  return { old: errors.old?.code, new: errors.new?.code };
}

function promise<T>() {
  let resolve: (value: T) => void = () => undefined;
  const value = new Promise<T>((done) => (resolve = done));
  return { value, resolve };
}

function asFailure(error: unknown): LatchkeyError {
  if (error instanceof LatchkeyError) return error;
  throw error;
}

/** Links a new device of that name to the inbox of an old one, over the real node; each side is reported by itself. */
export async function link(
  t: TestContext,
  world: World,
  old: Device,
  name: string,
  script: LinkScript,
): Promise<LinkOutcome> {
  const environment = world.environment(world.path(`${name}.db`), new TestClock(), script.wrap);
  return linkWith(t, old.client, environment, script);
}

export async function linkWith(
  t: TestContext,
  old: Client,
  environment: Environment,
  script: LinkScript,
): Promise<LinkOutcome> {
  const shown = promise<string>();
  const digits = promise<string>();
  const steps = { old: [] as LinkProgress[], new: [] as LinkProgress[] };
  const listen = (side: "old" | "new") => (step: LinkProgress) => {
    steps[side].push(step);
    if (step.step === "code") shown.resolve(step.code.text);
    if (step.step === "digits") digits.resolve(step.digits);
  };
  const readDigits = async () => {
    const seen = await digits.value;
    await script.onDigits?.();
    return (script.type ?? ((text) => text))(seen);
  };
  const codeFor = async (side: "old" | "new") => {
    if (script.shows === side) return {};
    const code = await shown.value;
    return { code: (await script.onCode?.(code)) ?? code };
  };
  const oldSide = async () =>
    old.linkDevice({ readDigits, onProgress: listen("old"), ...(await codeFor("old")), ...script.old });
  const newSide = async () =>
    Client.linkNewDevice(environment, { onProgress: listen("new"), ...(await codeFor("new")), ...script.new });
  const [oldEnd, newEnd] = await Promise.allSettled([
    oldSide().finally(script.onOldEnd),
    newSide().finally(script.onNewEnd),
  ]);
  const client = newEnd.status === "fulfilled" ? newEnd.value : undefined;
  if (client !== undefined) t.after(() => client.close());
  return {
    linked: oldEnd.status === "fulfilled" ? oldEnd.value : undefined,
    client,
    environment,
    errors: {
      old: oldEnd.status === "rejected" ? asFailure(oldEnd.reason) : undefined,
      new: newEnd.status === "rejected" ? asFailure(newEnd.reason) : undefined,
    },
    steps,
  };
}
