import { equalBytes, LatchkeyError, toHex, utf8 } from "@latchkey/mls";
import {
  pointerText,
  unwrapGroupInfo,
  XMTP_CIPHER_SUITE,
  type InvitePayload,
  type ServicePointer,
} from "@latchkey/xmtp";
import { untilAborted } from "../callbacks.ts";
import { isAborted } from "../clock.ts";
import { clientError } from "../errors.ts";
import type { Environment } from "../identity/environment.ts";
import type { NodeTime } from "../identity/node-time.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { unreachable } from "../transport/network-errors.ts";
import { isLocalAddress } from "./local-address.ts";
import { checkedServiceUrl } from "./slots.ts";
import type { ResolvedPointer, SlotContents, SlotFetchOptions, SlotService } from "../transport/slot-service.ts";

/** A service that holds invites, and how it is spoken to. */
export interface ReachableService {
  /** Its address; for a service of the application's own `opaque:` and the pointer in hex. */
  readonly url: string;
  readonly slots: SlotService;
}

type ServiceContext = Pick<
  Environment,
  "crypto" | "slots" | "clock" | "inviteServiceUrl" | "resolvePointer" | "loopbackHttp"
> & {
  /** The node's time; without a client this machine's clock counts. */
  readonly time?: NodeTime;
};

function noAddress(): LatchkeyError {
  return clientError("INVITE_MALFORMED", "the invite service has to be an https address, or http on this machine");
}

/**
 * The pointer by which an invite names its service: `https_url`, or, because XIP-82 allows nothing but https there,
 * `opaque` with the UTF-8 address for a service on this very machine. Throws INVITE_MALFORMED for other addresses.
 */
export function servicePointer(serviceUrl: string): ServicePointer {
  const url = checkedServiceUrl(serviceUrl);
  if (url === undefined) throw noAddress();
  return url.startsWith("https:") ? { kind: "https_url", url } : { kind: "opaque", bytes: utf8(url) };
}

/** The address that a pointer names; undefined for opaque pointers of other applications. */
export function serviceUrlOf(pointer: ServicePointer | undefined): string | undefined {
  if (pointer === undefined) return undefined;
  return checkedServiceUrl(pointerText(pointer));
}

/** Two pointers to the same place. */
export function samePointer(a: ServicePointer, b: ServicePointer): boolean {
  if (a.kind === "opaque") return b.kind === "opaque" && equalBytes(a.bytes, b.bytes);
  return b.kind === "https_url" && serviceUrlOf(a) === serviceUrlOf(b);
}

/**
 * Whether a service may be spoken to: public https always; what leads to this machine or a local network, over whichever
 * of both, only where that was allowed. The client's own https service is allowed wherever it is.
 */
function isAllowed({ inviteServiceUrl, loopbackHttp }: ServiceContext, address: string): boolean {
  const url = new URL(address);
  const own = URL.parse(inviteServiceUrl ?? "");
  const isSecure = url.protocol === "https:";
  if (isSecure && (!isLocalAddress(url) || url.origin === own?.origin)) return true;
  return loopbackHttp ?? (!isSecure && own?.protocol === "http:");
}

/** A service by its address. An invite of a stranger must not make a program talk to whatever else runs on its machine. */
function serviceAt(context: ServiceContext, address: string): ReachableService {
  const url = checkedServiceUrl(address);
  if (url === undefined) throw noAddress();
  if (!isAllowed(context, url)) {
    const message = "the invite leads to this machine or into its network, which is not allowed here";
    throw clientError("INVITE_MALFORMED", message, { rule: "LocalAddress" });
  }
  return { url, slots: context.slots };
}

/** Ends with the call, or when the application takes longer than a call over the network may. */
function patience({ clock }: Pick<ServiceContext, "clock">, signal: AbortSignal | undefined): AbortSignal {
  const timeout = clock.timeout(CLIENT_LIMITS.callTimeoutMs);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}

async function askApplication(
  context: ServiceContext,
  opaque: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<ResolvedPointer> {
  const { resolvePointer } = context;
  if (resolvePointer === undefined) return undefined;
  try {
    const answer = await untilAborted(() => resolvePointer(opaque), patience(context, signal));
    if (answer === undefined || typeof answer === "string" || isSlotService(answer)) return answer;
    throw new TypeError("`resolvePointer` gave neither an address nor a service");
  } catch (cause) {
    if (isAborted(signal)) throw cause;
    const message = "the application's `resolvePointer` failed for the service that the invite names";
    throw clientError("INVITE_POINTER_OPAQUE", message, { cause });
  }
}

function isSlotService(answer: unknown): answer is SlotService {
  return typeof answer === "object" && answer !== null && "fetch" in answer && "upload" in answer && "exists" in answer;
}

/** A service of the application: it may fail in any way, and never answer. */
function applicationSlots(context: ServiceContext, slots: SlotService): SlotService {
  const ask = async <T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> => {
    try {
      return await untilAborted(call, patience(context, signal));
    } catch (error) {
      if (isAborted(signal) || error instanceof LatchkeyError) throw error;
      throw unreachable("the application's invite service", error);
    }
  };
  return {
    upload: (slot, blob, signal) => ask(signal, () => slots.upload(slot, blob, signal)),
    fetch: (slot, options) => ask(options?.signal, () => slots.fetch(slot, options)),
    exists: (slot, epoch, hash, signal) => ask(signal, () => slots.exists(slot, epoch, hash, signal)),
  };
}

/** The service behind a pointer; throws INVITE_POINTER_OPAQUE, INVITE_MALFORMED, and the signal's reason. */
export async function resolveService(
  context: ServiceContext,
  pointer: ServicePointer,
  signal?: AbortSignal,
): Promise<ReachableService> {
  if (pointer.kind === "https_url") return serviceAt(context, pointer.url);
  const answer = (await askApplication(context, pointer.bytes, signal)) ?? serviceUrlOf(pointer);
  if (answer === undefined) {
    throw clientError(
      "INVITE_POINTER_OPAQUE",
      "the invite names its service in a way that only its application understands; give the client a `resolvePointer`",
    );
  }
  if (typeof answer === "string") return serviceAt(context, answer);
  return { url: `opaque:${toHex(pointer.bytes)}`, slots: applicationSlots(context, answer) };
}

/** The client's own service, where it has a usable one. */
export function ownService(context: ServiceContext): ReachableService[] {
  const url = checkedServiceUrl(context.inviteServiceUrl ?? "");
  return url !== undefined && isAllowed(context, url) ? [{ url, slots: context.slots }] : [];
}

/** Every service once. */
export function distinctServices<S extends ReachableService>(services: readonly S[]): S[] {
  return [...new Map(services.toReversed().map((service) => [service.url, service])).values()].toReversed();
}

/**
 * The services to ask for an invite's blobs, in turn: the one that it names, then the client's own. Throws
 * INVITE_POINTER_OPAQUE, INVITE_MALFORMED when there is none.
 */
export async function servicesToAsk(
  context: ServiceContext,
  payload: InvitePayload,
  signal?: AbortSignal,
): Promise<[ReachableService, ...ReachableService[]]> {
  const { servicePointer: pointer } = payload;
  const own = ownService(context);
  const all = pointer === undefined ? own : [await resolveService(context, pointer, signal), ...own];
  const [first, ...others] = distinctServices(all);
  if (first !== undefined) return [first, ...others];
  throw clientError("INVITE_MALFORMED", "the invite names no service, and the client has none; ask for a new link");
}

/**
 * Looks up an invite's slot at several services, in turn: the next one is asked when one fails, or holds nothing that
 * the invite opens. Each call begins with the first. Throws what the first one failed with.
 */
export function fetchInTurn(
  context: ServiceContext,
  services: readonly ReachableService[],
  { externalGroupId, symmetricKey }: InvitePayload,
): (options: SlotFetchOptions) => Promise<SlotContents> {
  const suite = context.crypto.suite(XMTP_CIPHER_SUITE);
  const opens = (blob: Uint8Array): boolean => {
    try {
      unwrapGroupInfo(blob, symmetricKey, { suite, nowNs: context.time?.bestNs() ?? context.clock.nowNs() });
      return true;
    } catch {
      return false;
    }
  };
  // The tag of one service means nothing to another.
  let tagged: ReachableService | undefined;
  return async (options) => {
    let junk: { readonly from: ReachableService; readonly contents: SlotContents } | undefined;
    let failure: unknown;
    for (const [index, service] of services.entries()) {
      const unless = service === tagged ? options.unless : undefined;
      try {
        const contents = await service.slots.fetch(
          { serviceUrl: service.url, externalGroupId },
          { ...options, unless },
        );
        const isLast = index === services.length - 1;
        if (contents.blobs === undefined || (isLast && junk === undefined) || contents.blobs.some(opens)) {
          tagged = service;
          return contents;
        }
        junk ??= { from: service, contents };
      } catch (error) {
        if (isAborted(options.signal)) throw error;
        failure ??= error;
      }
    }
    if (junk === undefined) throw failure;
    tagged = junk.from;
    return junk.contents;
  };
}
