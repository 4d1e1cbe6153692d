import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../output.ts";
import { agreed, deviceTable, stateOf, stepsJson, timeTable } from "./report.ts";
import type { Stage } from "./stage.ts";
import { playStory, type Ending } from "./story.ts";

/** Members and installations that the story ends with. */
const MEMBERS = 4;
const INSTALLATIONS = 6;

/** Plays the demo in a temporary directory, which is gone afterwards whatever happens, and returns its verdict. */
export async function runDemo(stage: Stage): Promise<JsonObject> {
  await using closing = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "latchkey-demo-"));
  closing.defer(() => rm(directory, { recursive: true, force: true }));
  return judge(stage, await playStory(stage, directory, closing));
}

/** What the devices themselves say in the end, compared and shown; `ok` only when all of it holds. */
function judge(stage: Stage, ending: Ending): JsonObject {
  const { style } = stage;
  const { qrDecodedFromImage, delivered, expected } = ending;
  const states = ending.devices.map(stateOf);
  const members = agreed(states.map((state) => state.members));
  const installations = agreed(states.map((state) => state.installations));
  const epochAuthenticatorsEqual = agreed(states.map((state) => state.epochAuthenticator)) !== undefined;

  stage.line(`\n${style.bold("In the end")}\n`);
  stage.line(deviceTable(states, style));
  stage.line();
  stage.check("all epoch authenticators are equal", epochAuthenticatorsEqual);
  stage.check(`all see ${MEMBERS} members`, members === MEMBERS);
  stage.check(`all see ${INSTALLATIONS} devices`, states.length === INSTALLATIONS && installations === INSTALLATIONS);
  stage.check(
    "members have confirmed every join",
    states.every(({ confirmed }) => confirmed),
  );
  stage.line(`\n${timeTable(stage.steps, style)}\n`);

  const ok = stage.failures.length === 0 && qrDecodedFromImage && expected > 0 && delivered === expected;
  const verdict = ok ? style.good("Everything holds.") : style.bad(`Did not hold: ${stage.failures.join("; ")}`);
  stage.line(`${verdict} ${delivered} of ${expected} messages were delivered.`);
  return {
    ok,
    qrDecodedFromImage,
    members: members ?? 0,
    installations: installations ?? 0,
    epochAuthenticatorsEqual,
    messagesDelivered: delivered,
    steps: stepsJson(stage.steps),
  };
}
