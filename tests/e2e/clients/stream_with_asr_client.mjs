// Streams raw audio by frontend/asr-client.js at a pace, whatever becomes of the connection; prints each event as a line of JSON.
//
// Arguments: URL, file of 16 kHz s16le, how many times faster than it was spoken, options of the stream as JSON.

import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

import { AsrClient } from "../../../frontend/asr-client.js";

const PACKET_BYTES = 3_200; // 100 ms
const [url, file, speed, options] = process.argv.slice(2);
const stream = new AsrClient(url).stream(JSON.parse(options));

async function speak() {
  const pcm = await readFile(file);
  const startedAt = performance.now();
  for (let start = 0; start < pcm.length; start += PACKET_BYTES) {
    void stream.send(pcm.subarray(start, start + PACKET_BYTES));
    await pause(Math.max(0, startedAt + start / 32 / Number(speed) - performance.now()));
  }
  stream.end();
}

void speak();
for await (const event of stream) console.log(JSON.stringify(event));
