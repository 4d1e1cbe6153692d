import assert from "node:assert/strict";
import { test } from "node:test";
import { WaitingRoom } from "./waiting-room.ts";

test("who comes is counted, who is done is not any more, and who is not heard of again fades", () => {
  let nowMs = 0;
  const room = new WaitingRoom({ halfLifeMs: 1_000, maxKeys: 10, monotonicMs: () => nowMs });
  assert.equal(room.waiting("a"), 0);
  for (let index = 0; index < 8; index++) room.arrive("a");
  room.arrive("b");
  assert.deepEqual([room.waiting("a"), room.waiting("b")], [8, 1]);
  room.depart("a");
  assert.equal(room.waiting("a"), 7);
  nowMs = 1_000;
  assert.equal(room.waiting("a"), 4);
  nowMs = 10_000;
  assert.equal(room.waiting("a"), 0);
});

test("more departures than arrivals do not make a room emptier than empty", () => {
  const room = new WaitingRoom({ halfLifeMs: 1_000, maxKeys: 10, monotonicMs: () => 0 });
  room.depart("a");
  room.arrive("a");
  room.depart("a");
  room.depart("a");
  room.arrive("a");
  assert.equal(room.waiting("a"), 1);
});

test("no more rooms are remembered than there may be", () => {
  const room = new WaitingRoom({ halfLifeMs: 1_000, maxKeys: 2, monotonicMs: () => 0 });
  for (const key of ["a", "b", "c"]) room.arrive(key);
  assert.deepEqual([room.waiting("a"), room.waiting("b"), room.waiting("c")], [0, 1, 1]);
});
