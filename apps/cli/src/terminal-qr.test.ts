import assert from "node:assert/strict";
import { test } from "node:test";
import type { Invite } from "@latchkey/client";
import { createStyle } from "./style.ts";
import { backgroundOf, fits, isReversible, terminalQr } from "./terminal-qr.ts";

const coloured = "\u001b[38;5;16;48;5;231m █▀▄\u001b[0m\n";
const invite = { toQR: () => coloured } as unknown as Invite;

test("without colours a QR code is drawn with its light modules, and no colour code is left", () => {
  assert.equal(terminalQr(invite, createStyle(true)), coloured);
  assert.equal(terminalQr(invite, createStyle(false)), "█ ▄▀\n");
});

test("DOR-08 a light terminal without colours gets the dark modules; where nothing is known, the user is told", () => {
  const plain = createStyle(false);
  assert.equal(terminalQr(invite, plain, "light"), " █▀▄\n");
  assert.equal(terminalQr(invite, plain, "dark"), "█ ▄▀\n");
  const backgrounds = ["0;15", "0;default;15", "0;7", "15;0", "15;default;0", "7;8", "", "x;y", "0;99"].map(
    (COLORFGBG) => backgroundOf({ COLORFGBG }),
  );
  const unknown = undefined;
  assert.deepEqual(backgrounds, ["light", "light", "light", "dark", "dark", "dark", unknown, unknown, unknown]);
  assert.equal(backgroundOf({}), undefined);
  assert.equal(isReversible(plain, undefined), true);
  assert.equal(isReversible(plain, "light"), false);
  assert.equal(isReversible(createStyle(true), undefined), false);
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
