import type { JsonObject } from "../output.ts";
import { agreed, deviceTable, stepsJson, timeTable } from "./report.ts";
import type { Stage } from "./stage.ts";
import type { Ending } from "./story.ts";

/** Members and installations that the story ends with. */
const MEMBERS = 4;
const INSTALLATIONS = 6;

/** Compares and shows the devices at the end; `ok` only when all of it holds, and all checks on the way did. */
export function judge(stage: Stage, ending: Ending): JsonObject {
  const { style } = stage;
  const { states, qrDecodedFromImage, delivered, expected } = ending;
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
  stage.check("every message was delivered", expected > 0 && delivered === expected);
  stage.check("the link was read from the image", qrDecodedFromImage);
  stage.line(`\n${timeTable(stage.steps, style)}\n`);

  const ok = stage.failures.length === 0;
  const verdict = ok ? style.good("Everything holds.") : style.bad(`Did not hold: ${stage.failures.join("; ")}.`);
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
