import { isAborted } from "../clock.ts";
import type { Environment } from "../identity/environment.ts";
import { checkedServiceUrl } from "./slots.ts";
import type { ServiceDescription } from "../transport/slot-service.ts";

/** By invite service: what links to it begin with. */
export type LinkBases = Map<string, string | undefined>;

/** What a link begins with that names no page: programs open it, cameras do not. */
export const SCHEME_ONLY = "latchkey:";

type LinkContext = Pick<Environment, "inviteBaseUrl" | "slots"> & { readonly linkBases: LinkBases };

/**
 * What links to an invite at a service begin with: the address that the operator configured, else the page of the service
 * where it is known to have one, else `latchkey:`.
 */
export function linkBaseOf({ inviteBaseUrl, linkBases }: LinkContext, serviceUrl: string | undefined): string {
  return inviteBaseUrl ?? (serviceUrl === undefined ? undefined : linkBases.get(serviceUrl)) ?? SCHEME_ONLY;
}

/**
 * Asks a service, once, whether it serves the page that opens invites. Never fails and takes at most three seconds: without
 * an answer the link names no page, and the next call asks again.
 */
export async function learnLinkBase(
  { inviteBaseUrl, linkBases, slots }: LinkContext,
  serviceUrl: string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (inviteBaseUrl !== undefined || serviceUrl === undefined || linkBases.has(serviceUrl)) return;
  const url = checkedServiceUrl(serviceUrl);
  if (url === undefined || slots.describe === undefined) return;
  try {
    const description = await slots.describe(url, signal);
    linkBases.set(serviceUrl, pageOf(url, description));
  } catch (error) {
    if (isAborted(signal)) throw error;
  }
}

/** The page counts at the origin of the service only: nobody else is trusted with the key. */
function pageOf(serviceUrl: string, { page }: ServiceDescription): string | undefined {
  return page ? new URL("/i", serviceUrl).href : undefined;
}
