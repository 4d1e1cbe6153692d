import assert from "node:assert/strict";
import { test } from "node:test";
import { COMPONENT, isHardCodedComponent, isImmutableComponent, isUsableComponent } from "./component.ts";

test("components have the ids that other clients write them under", () => {
  assert.deepEqual(
    Object.values(COMPONENT),
    [
      0x8000, 0x8001, 0x8002, 0x8003, 0x8004, 0x8005, 0x8006, 0x8007, 0x8008, 0x8009, 0x800a, 0x800b, 0x800c, 0xbffc,
      0xbffd, 0xbffe, 0xbfff,
    ],
  );
});

test("ranges of components end where they do: immutable, usable, fixed in code", () => {
  const where = (holds: (id: number) => boolean, ids: readonly number[]) => ids.filter(holds);
  const ends = [0xbdff, 0xbe00, 0xbfff, 0xc000, 0xfcff, 0xfd00, 0xfeff, 0xff00];
  assert.deepEqual(where(isImmutableComponent, ends), [0xbe00, 0xbfff, 0xfd00, 0xfeff]);
  assert.deepEqual(where(isUsableComponent, [0, 0x7fff, 0x8000, 0xfeff, 0xff00, 0xffff]), [0x8000, 0xfeff]);
  assert.deepEqual(where(isHardCodedComponent, [0x8000, 0x8001, 0x8002]), [0x8000, 0x8001]);
});
