import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../output.ts";
import { judge } from "./judge.ts";
import type { Stage } from "./stage.ts";
import { playStory } from "./story.ts";

/** Plays the demo in a temporary directory, removes the directory in any case, and returns the verdict. */
export async function runDemo(stage: Stage): Promise<JsonObject> {
  await using closing = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "latchkey-demo-"));
  closing.defer(() => rm(directory, { recursive: true, force: true }));
  return judge(stage, await playStory(stage, directory, closing));
}
