import assert from "node:assert/strict";
import { test } from "node:test";
import type { Invite } from "@latchkey/client";
import { createStyle } from "./style.ts";
import { terminalQr } from "./terminal-qr.ts";

test("without colours a QR code is drawn with its light modules, and no colour code is left", () => {
  const coloured = "\u001b[38;5;16;48;5;231m █▀▄\u001b[0m\n";
  const invite = { toQR: () => coloured } as unknown as Invite;
  assert.equal(terminalQr(invite, createStyle(true)), coloured);
  assert.equal(terminalQr(invite, createStyle(false)), "█ ▄▀\n");
});
