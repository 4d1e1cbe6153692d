import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CryptoError, type CipherSuite, type KeyPackage } from "@latchkey/mls";
import { WelcomeMessageInputSchema, WelcomeWrapperAlgorithm, type WelcomeMessageInput } from "../proto.ts";
import { acceptsWelcomePointers, welcomeKeyOf } from "./key.ts";
import { newWelcomePointer, sealPointee, wrapPointer, type WelcomePointer } from "./pointer.ts";
import { wrapWelcome, type WelcomeContent } from "./wrap.ts";

/** Recipients up to which each gets the Welcome itself, as libxmtp has it: pointers to one copy pay from three on. */
const DIRECT_RECIPIENTS = 2;

/** Recipients that are sealed for in one turn of the event loop. */
const RECIPIENTS_PER_TURN = 32;

type Version = NonNullable<MessageInitShape<typeof WelcomeMessageInputSchema>["version"]>;

/**
 * The messages that bring a Welcome to the owners of these key packages: wrapped for X-Wing where the key package offers
 * it, and for more than two of those who follow pointers stored once, with a pointer for each of them. The stored one
 * comes first: send them in this order. Some 15 ms of work behind each other, `pause` lets others have their turn.
 */
export async function welcomeMessages(
  suite: CipherSuite,
  content: WelcomeContent,
  recipients: readonly KeyPackage[],
  pause?: () => Promise<void>,
): Promise<WelcomeMessageInput[]> {
  const many = recipients.filter(acceptsWelcomePointers).length > DIRECT_RECIPIENTS;
  const pointer = many ? newWelcomePointer(suite) : undefined;
  const versions: Version[] = [];
  if (pointer !== undefined) {
    const value = { ...sealPointee(suite, pointer, content), installationKey: pointer.destination };
    versions.push({ case: "v1", value });
  }
  for (const [index, keyPackage] of recipients.entries()) {
    if (index > 0 && index % RECIPIENTS_PER_TURN === 0) await pause?.();
    versions.push(await messageFor(suite, keyPackage, content, pointer));
  }
  return versions.map((version) => create(WelcomeMessageInputSchema, { version }));
}

async function messageFor(
  suite: CipherSuite,
  keyPackage: KeyPackage,
  content: WelcomeContent,
  pointer: WelcomePointer | undefined,
): Promise<Version> {
  const installationKey = keyPackage.leafNode.signatureKey;
  const key = welcomeKeyOf(keyPackage);
  try {
    if (pointer !== undefined && acceptsWelcomePointers(keyPackage)) {
      return { case: "welcomePointer", value: { ...(await wrapPointer(suite, key, pointer)), installationKey } };
    }
    return { case: "v1", value: { ...(await wrapWelcome(suite, key, content)), installationKey } };
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    // The X-Wing key has the right length and is none. Its owner can do with the init key, which the commit used too.
    const initKey = { algorithm: WelcomeWrapperAlgorithm.CURVE25519, publicKey: keyPackage.initKey } as const;
    return { case: "v1", value: { ...(await wrapWelcome(suite, initKey, content)), installationKey } };
  }
}
