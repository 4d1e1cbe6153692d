import { contractSignature, verifySignature, type ContractSignature, type VerifiedSignature } from "@latchkey/xmtp";
import type { Signature } from "@latchkey/xmtp/proto";
import { codeOf } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Transport } from "../transport/transport.ts";

export type VerifySignature = (text: string, signature: Signature) => VerifiedSignature;

/** Whether a smart-contract wallet signed; throws when that cannot be known now. */
export type VerifyContract = (question: ContractSignature) => Promise<boolean>;

/** Asks the node as natives do. A node without the method, or without access to the chain, verifies none. */
export function contractVerifier(transport: Transport): VerifyContract {
  return async (question) => {
    try {
      const [valid] = (await transport.verifyContractSignatures?.([question])) ?? [];
      return valid === true;
    } catch (error) {
      if (codeOf(error) === "NODE_REJECTED") return false;
      throw error;
    }
  };
}

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
  readonly #verifyContract: VerifyContract;
  #left: number = CLIENT_LIMITS.identityWorkPerTurn;
  #pausing: Promise<void> | undefined;

  constructor(
    verify: VerifySignature = verifySignature,
    pause: () => Promise<void> = nextTurn,
    verifyContract: VerifyContract = () => Promise.resolve(false),
  ) {
    this.#verify = verify;
    this.#pause = pause;
    this.#verifyContract = verifyContract;
  }

  /** As `verifySignature`, when its turn has come; undefined for a smart-contract wallet that the node does not verify. */
  async verify(text: string, message: Signature): Promise<VerifiedSignature | undefined> {
    const { signature } = message;
    await this.spend(CLIENT_LIMITS.identityWorkPerSignature);
    if (signature.case !== "erc6492") return this.#verify(text, message);
    const question = contractSignature(text, signature.value);
    return (await this.#verifyContract(question)) ? question.verified : undefined;
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
