import { verifySignature, type VerifiedSignature } from "@latchkey/xmtp";
import type { Signature } from "@latchkey/xmtp/proto";
import { CLIENT_LIMITS } from "../limits.ts";

export type VerifySignature = (text: string, signature: Signature) => VerifiedSignature;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * Meters the work of replaying identity logs, so that others get their turn of the event loop in between: at most
 * `identityWorkPerTurn` at once, however many logs are replayed at the same time.
 */
export class SignatureTurns {
  readonly #verify: VerifySignature;
  readonly #pause: () => Promise<void>;
  #left: number = CLIENT_LIMITS.identityWorkPerTurn;
  #pausing: Promise<void> | undefined;

  constructor(verify: VerifySignature = verifySignature, pause: () => Promise<void> = nextTurn) {
    this.#verify = verify;
    this.#pause = pause;
  }

  /** As `verifySignature`, when its turn has come. */
  async verify(text: string, signature: Signature): Promise<VerifiedSignature> {
    await this.spend(CLIENT_LIMITS.identityWorkPerSignature);
    return this.#verify(text, signature);
  }

  /** Resolves when that much work may be done at once. */
  async spend(work: number): Promise<void> {
    while (this.#left <= 0) {
      this.#pausing ??= this.#pause().then(() => {
        this.#left = CLIENT_LIMITS.identityWorkPerTurn;
        this.#pausing = undefined;
      });
      await this.#pausing;
    }
    this.#left -= work;
  }
}
