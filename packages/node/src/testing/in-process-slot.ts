import { createHash, randomBytes } from "node:crypto";
import { fromHex, toHex } from "@latchkey/mls";
import { NodeError } from "../errors.ts";
import type { InProcessSlots } from "../in-process.ts";
import type { BlobMatch, ServiceClock, SlotUnderTest, UploadRight } from "@latchkey/slot-conformance";

/** A slot of a node in this process. */
export class InProcessSlot implements SlotUnderTest {
  readonly clock: ServiceClock;
  readonly #slots: InProcessSlots;
  readonly #id: Uint8Array;

  constructor(slots: InProcessSlots, clock: ServiceClock, id: string = toHex(randomBytes(16))) {
    this.#slots = slots;
    this.clock = clock;
    this.#id = fromHex(id);
  }

  other(id?: string): InProcessSlot {
    return new InProcessSlot(this.#slots, this.clock, id);
  }

  async put(blob: Uint8Array, right?: UploadRight): Promise<string> {
    const credentialHash = right && sha256(right.credential);
    const nextHash = right?.next && sha256(right.next);
    try {
      const outcome = await this.#slots.put(this.#id, blob, { credentialHash, nextHash });
      return outcome === "forbidden" ? "SLOT_FORBIDDEN" : outcome;
    } catch (error) {
      if (error instanceof NodeError) return error.code;
      throw error;
    }
  }

  async blobs(match?: BlobMatch): Promise<string[]> {
    const { blobs } = await this.#slots.list(this.#id, false, match);
    return blobs.map(toHex);
  }

  has({ epoch, digest }: BlobMatch): Promise<boolean> {
    return this.#slots.has(this.#id, epoch, digest);
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}
