import { EXIT, exitOf } from "../errors.ts";
import { errorReport, jsonLine } from "../output.ts";
import { createStyle, wantsColour } from "../style.ts";
import { runDemo } from "./demo.ts";
import { Stage } from "./stage.ts";

// The databases and the image of the invite hold keys.
process.umask(0o077);

const json = process.argv.includes("--json");
const stdout = process.stdout;
const abort = new AbortController();
process.once("SIGINT", () => abort.abort(new Error("stopped by the user")));
stdout.once("error", (error) => abort.abort(error));

const style = createStyle(!json && wantsColour(stdout.isTTY, process.env));
const stage = new Stage(style, (text) => json || stdout.write(text), abort.signal);
stage.line(style.bold("Latchkey: scan a QR code, and all your devices are in the group"));
try {
  const verdict = await runDemo(stage);
  if (json) stdout.write(`${jsonLine(verdict)}\n`);
  process.exitCode = verdict["ok"] === true ? EXIT.ok.status : EXIT.unexpected.status;
} catch (error) {
  const report = errorReport(error);
  if (json) stdout.write(`${jsonLine({ ok: false, error: report })}\n`);
  else process.stderr.write(`${style.bad("✗")} ${report.message} (${report.code})\n`);
  process.exitCode = EXIT[exitOf(error, abort.signal.aborted)].status;
}
