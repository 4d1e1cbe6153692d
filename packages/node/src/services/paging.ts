import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { PagingInfoSchema, SortDirection, type PagingInfo } from "@latchkey/xmtp/proto";
import type { NodeLimits } from "../limits.ts";
import type { Page, PageRequest } from "../storage/storage.ts";

/** The store's page for a request's PagingInfo: ascending from the start when nothing is said. */
export function pageRequest(
  topic: Uint8Array,
  paging: PagingInfo | undefined,
  limits: NodeLimits,
  maxBytes: number,
): PageRequest {
  const { direction, limit, idCursor } = paging ?? create(PagingInfoSchema);
  return {
    topic,
    direction: direction === SortDirection.DESCENDING ? "descending" : "ascending",
    cursor: idCursor,
    limit: limit === 0 ? limits.pageEntries : Math.min(limit, limits.pageEntries),
    maxBytes,
  };
}

/** The PagingInfo of an answer: `idCursor` is where the next page starts, 0 when this was the last one. */
export function pageAnswer(request: PageRequest, page: Page): MessageInitShape<typeof PagingInfoSchema> {
  return {
    direction: request.direction === "descending" ? SortDirection.DESCENDING : SortDirection.ASCENDING,
    limit: request.limit,
    idCursor: page.more ? (page.entries.at(-1)?.id ?? 0n) : 0n,
  };
}
