import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createStyle } from "../style.ts";
import { judge } from "./judge.ts";
import type { DeviceState } from "./report.ts";
import { Stage } from "./stage.ts";
import type { Ending } from "./story.ts";

const STATE: DeviceState = {
  name: "Ada's phone",
  inboxId: "ab".repeat(32),
  epoch: 4n,
  epochAuthenticator: "cd".repeat(32),
  members: 4,
  installations: 6,
  confirmed: true,
};

const GOOD: Ending = {
  states: Array<DeviceState>(6).fill(STATE),
  qrDecodedFromImage: true,
  delivered: 41,
  expected: 41,
};

function newStage(): { stage: Stage; text: () => string } {
  const written: string[] = [];
  const stage = new Stage(createStyle(false), (text) => written.push(text), new AbortController().signal);
  return { stage, text: () => written.join("") };
}

/** The good ending with one device that differs. */
function withOdd(odd: Partial<DeviceState>): Ending {
  return { ...GOOD, states: [...GOOD.states.slice(1), { ...STATE, ...odd }] };
}

describe("the verdict of the demo", () => {
  test("is ok when everything holds", () => {
    const { stage, text } = newStage();
    assert.equal(judge(stage, GOOD)["ok"], true);
    assert.match(text(), /Everything holds\. 41 of 41 messages/);
  });

  const bad: readonly { readonly what: string; readonly ending: Ending; readonly says: RegExp }[] = [
    { what: "a device in another history", ending: withOdd({ epochAuthenticator: "ef" }), says: /authenticators/ },
    { what: "a device that sees fewer members", ending: withOdd({ members: 3 }), says: /4 members/ },
    { what: "a device that sees fewer devices", ending: withOdd({ installations: 5 }), says: /6 devices/ },
    { what: "a device that is missing", ending: { ...GOOD, states: GOOD.states.slice(1) }, says: /6 devices/ },
    { what: "a join that nobody confirmed", ending: withOdd({ confirmed: false }), says: /confirmed/ },
    { what: "a message that did not arrive", ending: { ...GOOD, delivered: 40 }, says: /every message/ },
    { what: "nothing said at all", ending: { ...GOOD, delivered: 0, expected: 0 }, says: /every message/ },
    { what: "a link that was not in the image", ending: { ...GOOD, qrDecodedFromImage: false }, says: /image/ },
  ];
  for (const { what, ending, says } of bad) {
    test(`is not ok with ${what}`, () => {
      const { stage, text } = newStage();
      assert.equal(judge(stage, ending)["ok"], false);
      assert.match(/Did not hold: (.*)/.exec(text())?.[1] ?? "", says);
    });
  }

  test("is not ok when a check on the way failed", () => {
    const { stage } = newStage();
    stage.check("something on the way", false);
    assert.equal(judge(stage, GOOD)["ok"], false);
  });
});
