import { fromBinary } from "@bufbuild/protobuf";
import { toHex } from "@latchkey/mls";
import { SendWelcomeMessagesRequestSchema, WelcomeWrapperAlgorithm } from "@latchkey/xmtp/proto";
import type { Wire } from "./wire.ts";

/** How a Welcome travelled: to whom, itself or as a pointer, and wrapped with what. */
export interface TravelledWelcome {
  /** Installation id in hex, or the random destination of a Welcome that pointers lead to. */
  readonly to: string;
  readonly form: string;
}

const { CURVE25519, XWING_MLKEM_768_DRAFT_6, SYMMETRIC_KEY } = WelcomeWrapperAlgorithm;

const ALGORITHMS: Readonly<Record<number, string>> = {
  [CURVE25519]: "Curve25519",
  [XWING_MLKEM_768_DRAFT_6]: "X-Wing",
  [SYMMETRIC_KEY]: "stored",
};

/** All Welcomes that crossed the line so far, in order. */
export function travelledWelcomes(wire: Wire): TravelledWelcome[] {
  return wire
    .requests("SendWelcomeMessages")
    .flatMap((request) => fromBinary(SendWelcomeMessagesRequestSchema, request).messages)
    .map(({ version }) => {
      if (version.case === undefined) throw new Error("a Welcome has no version that we know");
      const { installationKey, wrapperAlgorithm } = version.value;
      const algorithm = ALGORITHMS[wrapperAlgorithm] ?? `algorithm ${wrapperAlgorithm}`;
      return {
        to: toHex(installationKey),
        form: version.case === "welcomePointer" ? `pointer, ${algorithm}` : algorithm,
      };
    });
}

/** Runs an action and returns how the Welcomes travelled that it sent. */
export async function welcomesDuring(wire: Wire, action: () => Promise<unknown>): Promise<TravelledWelcome[]> {
  const before = travelledWelcomes(wire).length;
  await action();
  return travelledWelcomes(wire).slice(before);
}
