import { LatchkeyError } from "@latchkey/client";
import { createStyle, wantsColour, type Style } from "./style.ts";
import { backgroundOf, type Background, type TerminalSize } from "./terminal-qr.ts";
import { printableLine, redact } from "./text.ts";

/** Where text goes; a stream of the process or a test's collector. */
export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

/** An object that `--json` prints; times and ids above 2^53 are written as decimal strings. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Output of a command, in both forms; `human` may be empty when everything was said on the way. */
export interface CommandResult {
  readonly json: JsonObject;
  readonly human: (style: Style) => string;
}

/** Error codes, messages and report as `--json` prints them. */
interface ErrorReport {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;
  readonly rule?: string;
}

/** One JSON text on one line. */
export function jsonLine(value: JsonObject): string {
  return JSON.stringify(value, (_, field: unknown) => (typeof field === "bigint" ? field.toString() : field));
}

/** What may be told about an error: no stack, no cause, nothing that could be a key. */
export function errorReport(error: unknown): ErrorReport {
  const text = error instanceof Error ? error.message : String(error);
  const message = printableLine(redact(text));
  if (!(error instanceof LatchkeyError)) {
    return { code: "UNEXPECTED", message, retryable: false, retryAfterMs: null };
  }
  const { code, retryable, retryAfterMs = null, rule } = error;
  return { code, message, retryable, retryAfterMs, ...(rule === undefined ? {} : { rule }) };
}

/** The two voices of the command: results on standard output, progress and errors beside them. */
export class Output {
  readonly json: boolean;
  /** Style of standard output. */
  readonly style: Style;
  /** Columns and rows of the terminal; undefined where standard output is not one. */
  readonly size: TerminalSize | undefined;
  /** Background of the terminal, where it says so. */
  readonly background: Background;
  readonly #stdout: Sink;
  readonly #stderr: Sink;
  readonly #errorStyle: Style;

  constructor(json: boolean, stdout: Sink, stderr: Sink, env: Readonly<Record<string, string | undefined>>) {
    this.json = json;
    this.#stdout = stdout;
    this.#stderr = stderr;
    const { columns = 0, rows = 0 } = stdout;
    this.size = columns > 0 && rows > 0 ? { columns, rows } : undefined;
    this.background = backgroundOf(env);
    this.style = createStyle(!json && wantsColour(stdout.isTTY === true, env));
    this.#errorStyle = createStyle(!json && wantsColour(stderr.isTTY === true, env));
  }

  /** A line for people, on standard output; nothing with `--json`. */
  line(text = ""): void {
    if (!this.json) this.#stdout.write(`${text}\n`);
  }

  /** One entry of a list without an end: `human` for people, a JSON line of its own with `--json`. */
  entry(json: JsonObject, human: string): void {
    this.#stdout.write(`${this.json ? jsonLine(json) : human}\n`);
  }

  /** A step that takes a while, on standard error; nothing with `--json`. */
  progress(text: string): void {
    if (!this.json) this.#stderr.write(`${this.#errorStyle.dim(`· ${text}`)}\n`);
  }

  /** Something that people should know although the command goes on. */
  warn(text: string): void {
    if (!this.json) this.#stderr.write(`${this.#errorStyle.bad("!")} ${printableLine(redact(text))}\n`);
  }

  /** The last line of a command that succeeded. */
  result(result: CommandResult): void {
    if (this.json) {
      this.#stdout.write(`${jsonLine({ ok: true, ...result.json })}\n`);
      return;
    }
    const text = result.human(this.style);
    if (text !== "") this.#stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  }

  /** The last line of a command that failed: on standard output with `--json`, on standard error for people. */
  failure(error: unknown): void {
    const report = errorReport(error);
    if (this.json) {
      this.#stdout.write(`${jsonLine({ ok: false, error: report })}\n`);
      return;
    }
    const rule = report.rule === undefined ? "" : ` (${report.rule})`;
    const wait = report.retryAfterMs === null ? "" : ` in ${Math.ceil(report.retryAfterMs / 1000)} s`;
    const advice = report.retryable ? `; may work later, try again${wait}` : "";
    this.#stderr.write(`${this.#errorStyle.bad("✗")} ${report.message}\n`);
    this.#stderr.write(`  ${this.#errorStyle.dim(`${report.code}${rule}${advice}`)}\n`);
  }
}
