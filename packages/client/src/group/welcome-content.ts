import type { KeyPackageBundle } from "@latchkey/mls";
import {
  openPointee,
  unwrapPointer,
  unwrapWelcome,
  XMTP_CIPHER_SUITE,
  type WelcomeContent,
  type WelcomePointer,
} from "@latchkey/xmtp";
import type { ClientContext } from "./client-context.ts";
import { clientError, scopeOf } from "../errors.ts";
import { openerFor } from "../identity/key-packages.ts";
import type { WelcomeEnvelope } from "../transport/transport.ts";

/** A Welcome as its sender made it, and the key package it is for. */
export interface OpenedWelcome extends WelcomeContent {
  readonly bundle: KeyPackageBundle;
}

/**
 * Opens a wrapped Welcome, or follows a pointer and opens what lies there; undefined when that is not there yet.
 *
 * @throws KEY_PACKAGE_MISSING, CRYPTO, DECODE, MLS_UNSUPPORTED; errors of the network.
 */
export async function openEnvelope(
  context: ClientContext,
  envelope: WelcomeEnvelope,
  signal: AbortSignal | undefined,
): Promise<OpenedWelcome | undefined> {
  const opener = openerFor(context, envelope.hpkePublicKey);
  if (opener === undefined) throw clientError("KEY_PACKAGE_MISSING", "a Welcome is for a key package that is gone");
  const { bundle, keyPair } = opener;
  const suite = context.crypto.suite(XMTP_CIPHER_SUITE);
  if (envelope.kind === "welcome") return { bundle, ...(await unwrapWelcome(suite, keyPair, envelope)) };
  const content = await follow(context, await unwrapPointer(suite, keyPair, envelope), signal);
  return content === undefined ? undefined : { bundle, ...content };
}

/** The first of what lies where a pointer says that it opens. */
async function follow(
  context: ClientContext,
  pointer: WelcomePointer,
  signal: AbortSignal | undefined,
): Promise<WelcomeContent | undefined> {
  const suite = context.crypto.suite(XMTP_CIPHER_SUITE);
  const { items } = await context.transport.queryWelcomeMessages({ topic: pointer.destination, afterId: 0n }, signal);
  for (const item of items) {
    if (item.kind !== "welcome") continue;
    try {
      return openPointee(suite, pointer, item);
    } catch (error) {
      // Whoever saw the place in a request can put something there as well.
      if (scopeOf(error, signal) === "availability") throw error;
    }
  }
  return undefined;
}
