// What is sent again after a loss: everything from a position on, in its order, and nothing twice.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ReplayBuffer } from "../../frontend/asr-client.js";

const BYTES_PER_S = 2_000; // two a millisecond

function filled(items, maxBytes = 1 << 20) {
  const buffer = new ReplayBuffer(BYTES_PER_S, maxBytes);
  for (const item of items) buffer.append(item);
  return buffer;
}

function drained(buffer) {
  const items = [];
  for (let item = buffer.take(); item !== undefined; item = buffer.take()) items.push(item);
  return items;
}

const sizes = (items) => items.map((item) => (typeof item === "string" ? item : (item.size ?? item.length)));
const silence = (bytes) => new Uint8Array(bytes);

test("after a loss everything from the position on comes again", () => {
  const audio = Uint8Array.from({ length: 200 }, (_, index) => index);
  const packets = [7, 50, 51, 120, 200].map((end, index, ends) => audio.slice(ends[index - 1] ?? 0, end));
  for (let safeMs = 0; safeMs <= 100; safeMs++) {
    for (let fromMs = safeMs; fromMs <= 100; fromMs += 7) {
      const buffer = filled(packets);
      assert.deepEqual(drained(buffer), packets);
      buffer.forgetBefore(safeMs);
      assert.ok(buffer.rewind(fromMs));
      assert.deepEqual(drained(buffer).flatMap((packet) => [...packet]), [...audio.slice(2 * fromMs)]);
      assert.equal(buffer.unsentBytes, 0);
    }
  }
});

test("a message comes again if its place does", () => {
  const buffer = filled([silence(40), "first", silence(40), "second", silence(40), "end"]);
  drained(buffer);
  assert.ok(buffer.rewind(40));
  assert.deepEqual(sizes(drained(buffer)), ["second", 40, "end"]);
  assert.ok(buffer.rewind(39));
  assert.deepEqual(sizes(drained(buffer)), [2, "second", 40, "end"]);
  assert.ok(buffer.rewind(60));
  assert.deepEqual(sizes(drained(buffer)), ["end"]);
});

test("a position that is safe cannot be gone back behind", () => {
  const buffer = filled([silence(40), silence(40)]);
  drained(buffer);
  buffer.forgetBefore(20);
  assert.equal(buffer.beginsAt, 40);
  assert.equal(buffer.rewind(10), false);
  assert.equal(buffer.rewind(41), false);
  assert.equal(buffer.rewind(20), true);
});

test("too much audio is forgotten from its beginning once it was sent", () => {
  const buffer = filled([silence(60), silence(60)], 100);
  assert.equal(buffer.beginsAt, 0, "nothing of it was sent");
  drained(buffer);
  buffer.append(silence(10));
  assert.equal(buffer.beginsAt, 60);
  assert.equal(buffer.rewind(0), false);
});

test("a file takes no memory, and comes again from its middle", async () => {
  const buffer = filled([new Blob([Uint8Array.from({ length: 600 }, (_, index) => index % 251)]), silence(10)], 100);
  assert.equal(buffer.unsentBytes, 10);
  drained(buffer);
  assert.ok(buffer.rewind(250));
  const [rest, packet] = drained(buffer);
  assert.deepEqual([rest.size, packet.length], [100, 10]);
  assert.equal(new Uint8Array(await rest.arrayBuffer())[0], 500 % 251);
});
