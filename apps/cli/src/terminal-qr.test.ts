import assert from "node:assert/strict";
import { test } from "node:test";
import type { Invite } from "@latchkey/client";
import { createStyle } from "./style.ts";
import { fits, terminalQr } from "./terminal-qr.ts";

test("without colours a QR code is drawn with its light modules, and no colour code is left", () => {
  const coloured = "\u001b[38;5;16;48;5;231m █▀▄\u001b[0m\n";
  const invite = { toQR: () => coloured } as unknown as Invite;
  assert.equal(terminalQr(invite, createStyle(true)), coloured);
  assert.equal(terminalQr(invite, createStyle(false)), "█ ▄▀\n");
});

test("DOR-08 a code is drawn where it fits: a small one in 50 and 80 columns of 24 rows, a large one in neither", () => {
  const drawn = (modules: number) => `${"█".repeat(modules)}\n`.repeat(Math.ceil(modules / 2));
  const small = { columns: 50, rows: 24 };
  assert.equal(fits(drawn(45), small), true);
  assert.equal(fits(`\u001b[38;5;16;48;5;231m${drawn(45)}\u001b[0m`, small), true);
  assert.equal(fits(drawn(49), { columns: 80, rows: 24 }), false);
  assert.equal(fits(drawn(53), { columns: 50, rows: 60 }), false);
  assert.equal(fits(drawn(53), undefined), true);
});
