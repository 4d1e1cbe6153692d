import assert from "node:assert/strict";
import { utf8 } from "../bytes.ts";
import type { MlsGroup } from "../group/mls-group.ts";
import type { TestMember } from "./groups.ts";

/** How something is refused: for a rule, or with a code that knows no rules. */
export type Refusal =
  { readonly rule: string } | { readonly code: "DECODE" | "CRYPTO" | "MLS_STATE" | "MLS_UNSUPPORTED" };

/** The group refuses the attempt in just that way, and its rows are unchanged, byte for byte. */
export async function assertUnchanged(
  { group }: Pick<TestMember, "group">,
  attempt: (group: MlsGroup) => Promise<unknown>,
  refusal: Refusal,
): Promise<void> {
  const before = group.snapshot();
  await assert.rejects(attempt(group), (error: { code: string; rule?: string }) => {
    const { code, rule } = error;
    assert.deepEqual(rule === undefined ? { code } : { code, rule }, { code: "MLS_INVALID", ...refusal });
    return true;
  });
  assert.deepEqual(group.snapshot(), before);
}

/** The member refuses the message, at verify or at stage; see `assertUnchanged`. */
export async function assertRefused(member: TestMember, message: Uint8Array, refusal: string | Refusal): Promise<void> {
  const attempt = async (group: MlsGroup): Promise<void> => {
    const received = await group.verify(message);
    assert.ok(received.kind === "commit", `the message was taken as ${received.kind}`);
    const touched = received.commit.proposals.some(({ proposal }) => proposal.kind === "app_data_update");
    await group.stage(received.commit, touched ? { appData: new Map([[0x8003, utf8("new")]]) } : {});
  };
  await assertUnchanged(member, attempt, typeof refusal === "string" ? { rule: refusal } : refusal);
}
