import { LatchkeyError, peekMlsMessage } from "@latchkey/mls";

/** The epoch that a message would end if members accept it, as its header says; undefined for everything but commits. */
export function endedEpoch(data: Uint8Array): bigint | undefined {
  try {
    const { contentKind, epoch } = peekMlsMessage(data);
    return contentKind === "commit" ? epoch : undefined;
  } catch (error) {
    if (error instanceof LatchkeyError) return undefined;
    throw error;
  }
}
