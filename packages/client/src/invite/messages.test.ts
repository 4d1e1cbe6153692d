import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { INVITE_END_TEXTS } from "../join/end-states.ts";
import { damaged, tooLarge } from "../node/pictures/refusal.ts";

const HERE = import.meta.dirname;
const FOLDERS = [join(HERE, "links"), join(HERE, "../node/pictures")];
/** Sources of the area, but the one whose error only means a broken installation. */
const FILES = [
  ...FOLDERS.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name))),
  join(HERE, "read-invite.ts"),
  join(HERE, "../node/read-qr.ts"),
].filter((file) => file.endsWith(".ts") && !/\.test\.ts$|wasm-memory\.ts$/.test(file));

/** What a next step begins with. */
const STEPS =
  /^(?:ask|copy|cut|do|give|look|make|open|read|save|scan|send|set|take|try|update|use|check|revoke) |^(?:update it|open it\.?)/i;

const MAX_WORDS = 25;

/** Texts in a source file that people read: those of several words, with the values that they are made with as N. */
function messagesIn(file: string): string[] {
  const source = readFileSync(file, "utf8").replaceAll(/\/\*[^]*?\*\/|(?<=\s)\/\/.*/g, "");
  const texts = Array.from(source.matchAll(/"((?:[^"\\\n]|\\.)+)"|`((?:[^`\\]|\\.)+)`/g), ([, plain, template]) =>
    (plain ?? template ?? "").replaceAll(/\$\{[^}]*\}/g, "N"),
  );
  return texts.filter((text) => /^[a-zN]\S* \S+ \S+ .*[a-z]/.test(text) && !text.includes("<"));
}

/** The part behind the semicolon. */
function stepOf(message: string): string {
  return message.slice(message.indexOf("; ") + 2);
}

describe("DOR-02 DOR-04 texts about links and pictures", () => {
  const messages = FILES.flatMap((file) => messagesIn(file).map((text) => ({ file, text })));

  test("are found where they are made", () => {
    assert.ok(messages.length >= 30, `${messages.length}`);
    for (const known of [
      /not a Latchkey invite; open it/,
      /HEIC photo/,
      /no readable QR code/,
      /Latchkey did not write/,
    ]) {
      assert.ok(
        messages.some(({ text }) => known.test(text)),
        String(known),
      );
    }
  });

  for (const { file, text } of messages) {
    // The helpers add the step to these; see below.
    const isCause =
      !text.includes("; ") &&
      /^(?:the N? ?(?:JPEG )?picture (?:has|is larger|takes)|a side of|longer than|too much)/.test(text);
    test(`${isCause ? "state a cause" : "state a cause and a step"}: ${text}`, () => {
      assert.ok(text.split(/\s+/).length <= MAX_WORDS, file);
      assert.doesNotMatch(text, /\b(?:[A-Z]{3}-\d\d|please|sorry|oops)\b|!/i);
      assert.doesNotMatch(text, /\.$/);
      if (isCause) return;
      assert.match(text, /^(?:N|[^;]{10,}); ./, file);
      assert.match(stepOf(text), STEPS, file);
    });
  }

  test("state a step also where helpers add it", () => {
    for (const { message } of [damaged("PNG"), tooLarge("the picture is larger than 9 pixels")]) {
      assert.match(stepOf(message), STEPS);
    }
  });
});

test("DOR-06 each end of an invite is one sentence, and a step", () => {
  for (const { text, next } of Object.values(INVITE_END_TEXTS)) {
    for (const sentence of [text, next]) {
      assert.match(sentence, /^[A-Z][^.!;]+\.$/);
      assert.ok(sentence.split(" ").length <= MAX_WORDS);
    }
    assert.match(next, STEPS);
  }
});
