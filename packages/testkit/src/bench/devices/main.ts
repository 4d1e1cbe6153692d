/**
 * Measures how fast one's own devices are linked and revoked, and what following the identity log costs a quiet sync.
 * Usage: main.ts [--json] [--groups 50] [--members 20]
 */
import { parseArgs } from "node:util";
import { wholeNumber } from "../../whole-number.ts";
import { measureDevices } from "./measure-devices.ts";

/** Milliseconds from the digits, or from the revocation, until all groups have followed. */
const GOAL_MS = 3_000;

const { values } = parseArgs({
  options: {
    json: { type: "boolean" },
    groups: { type: "string", default: "50" },
    members: { type: "string", default: "20" },
  },
});
const groups = wholeNumber("groups", values.groups);
const members = wholeNumber("members", values.members);
const { linkMs, openMs, revokeMs, quietRequests } = await measureDevices({ groups, members });
const result = {
  [`linkTo${groups}GroupsMs`]: Math.round(linkMs),
  [`revokeFrom${groups}GroupsMs`]: Math.round(revokeMs),
  quietFollowRequests: quietRequests,
};
if (values.json === true) {
  console.log(JSON.stringify(result));
} else {
  console.log(`link to ${groups} groups of ${members}: ${Math.round(linkMs)} ms after the digits (goal: ${GOAL_MS})`);
  console.log(`until it has opened them, with their history: ${Math.round(openMs)} ms`);
  console.log(`revoke from all of them: ${Math.round(revokeMs)} ms (goal: ${GOAL_MS})`);
  console.log(`a quiet sync: ${quietRequests} requests`);
}
process.exitCode = linkMs <= GOAL_MS && revokeMs <= GOAL_MS ? 0 : 1;
