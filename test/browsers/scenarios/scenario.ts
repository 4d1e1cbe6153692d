import type { Browser, Engine } from "../engines/engine.ts";

/** What a scenario gets: an engine, a profile folder of its own, and what has to be closed at its end. */
export interface World {
  readonly engine: Engine;
  readonly profile: string;
  /** Starts the browser on the profile; it is closed at the end of the scenario. */
  launch(flags?: readonly string[]): Promise<Browser>;
  /** Runs at the end of the scenario, the last one first. */
  atEnd(close: () => void | Promise<void>): void;
}

/** One thing that people do in a browser, with its acceptance id. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  /** Engines that cannot do it, each with the reason: a fixed list. */
  readonly cannot?: Readonly<Partial<Record<Engine["name"], string>>>;
  /** Engines in which continuous integration runs it; default: Chromium. */
  readonly reduced?: readonly Engine["name"][];
  run(world: World): Promise<void>;
}
