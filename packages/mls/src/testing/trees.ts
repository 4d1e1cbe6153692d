import { utf8 } from "../bytes.ts";
import { LEAF, SUITE } from "./groups.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import { nodeCrypto } from "../node/index.ts";

/** Leaves for trees that are looked at without a group around them: every key is another one, nothing is signed. */

export const suite = nodeCrypto.suite(SUITE);
let counter = 0;

export function freshKey(): Uint8Array {
  return suite.hash(utf8(`key ${counter++}`));
}

/** Whose leaves these are: people with several each, and some that are nobody's. */
export const OWNERS = ["", "ann", "bob", "cat"];

/** A leaf of an Update, of the next of the owners; every third one supports no extensions. */
export function freshLeaf(): LeafNode {
  return {
    encryptionKey: freshKey(),
    signatureKey: freshKey(),
    credential: { kind: "basic", identity: utf8(OWNERS[counter % OWNERS.length] ?? "") },
    capabilities: { ...LEAF.capabilities, extensions: counter % 3 === 0 ? [] : LEAF.capabilities.extensions },
    source: { kind: "update" },
    extensions: [],
    signature: new Uint8Array(64),
  };
}
