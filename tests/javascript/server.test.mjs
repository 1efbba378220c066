// The client against the real service; tests/e2e/test_javascript_client.py starts it, and says where everything is.

import assert from "node:assert/strict";
import { openAsBlob } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { AsrClient } from "../../frontend/asr-client.js";

const { ASR_TEST_URL: SERVER, ASR_TEST_PROXY_URL: PROXY, ASR_TEST_BREAKER_URL: BREAKER } = process.env;
const { ASR_TEST_SPEECH: SPEECH, ASR_TEST_RECORDING: RECORDING } = process.env;
const CUTS = 10;
const PACKET_BYTES = 3_200; // 100 ms
const OPTIONS = { language: "en", partials: { enabled: false } };

async function heard(stream) {
  const outcome = { finals: [], losses: 0 };
  for await (const event of stream) {
    if (event.type === "final") outcome.finals.push([event.utterance, event.start_ms, event.end_ms, event.text]);
    if (event.type === "reconnecting") outcome.losses++;
    if (event.type === "ended") outcome.reason = event.reason;
  }
  return outcome;
}

/** Says something at a pace, whatever becomes of the connection. */
async function speak(stream, pcm, speed, whileAt = async () => {}) {
  const startedAt = performance.now();
  for (let start = 0; start < pcm.length; start += PACKET_BYTES) {
    void stream.send(pcm.subarray(start, start + PACKET_BYTES));
    await whileAt(start / pcm.length);
    await pause(Math.max(0, startedAt + start / 32 / speed - performance.now()));
  }
  stream.end();
}

test(`finals of a stream that is cut ${CUTS} times are those of one that is not`, async () => {
  const pcm = await readFile(SPEECH);
  const undisturbed = new AsrClient(SERVER).stream(OPTIONS);
  const [whole] = await Promise.all([heard(undisturbed), speak(undisturbed, pcm, 8)]);
  assert.equal(whole.reason, "completed");
  assert.ok(whole.finals.length >= 3);

  let cuts = 0;
  const cutNowAndThen = async (said) => {
    if (said < (cuts + 0.5) / CUTS) return;
    cuts++;
    const outage = cuts % 3 ? 0 : 300; // what a network takes to come back
    await fetch(`${BREAKER}/${outage}`, { headers: { connection: "close" } });
  };
  const stream = new AsrClient(PROXY).stream(OPTIONS);
  const [cut] = await Promise.all([heard(stream), speak(stream, pcm, 3, cutNowAndThen)]);
  assert.equal(cuts, CUTS);
  assert.ok(cut.losses >= CUTS / 2, "others hit while it was away");
  assert.deepEqual(cut.finals, whole.finals);
  assert.equal(cut.reason, "completed");
});

test("a recording of any format is streamed as a file", async () => {
  const stream = new AsrClient(SERVER).stream({ language: "en", audio: { encoding: "container" } });
  stream.send(await openAsBlob(RECORDING));
  stream.end();
  const { finals, reason } = await heard(stream);
  assert.match(finals[0][3], /\w{3}/);
  assert.equal(reason, "completed");
});

test("a file is transcribed, its upload watched, and what is none refused with the server's code", async () => {
  const client = new AsrClient(SERVER);
  const file = await openAsBlob(RECORDING);
  const seen = [];
  const { text } = await client.transcribe(file, { language: "en", onProgress: (...bytes) => seen.push(bytes) });
  assert.match(text, /\w{3}/);
  assert.deepEqual(seen.at(-1), [file.size, file.size]);
  await assert.rejects(client.transcribe(new Blob(["no audio ".repeat(100)])), {
    name: "RequestRefused",
    code: "audio_not_decodable",
  });
});

test("a server that is not there is given up", async () => {
  const client = new AsrClient("http://127.0.0.1:9", { giveUpAfterS: 0.2 });
  await assert.rejects(heard(client.stream()), { name: "ServerUnreachable", hint: /running/ });
  await assert.rejects(client.transcribe(new Blob(["x"])), { name: "ServerUnreachable" });
});

test("a wrong option is reported and not tried again", async () => {
  await assert.rejects(heard(new AsrClient(SERVER).stream({ langage: "en" })), { name: "StreamFailed", code: "malformed_message" });
});

test("the question whether a connection is alive is answered", async () => {
  const pongs = [];
  class WitnessedSocket extends WebSocket {
    constructor(...values) {
      super(...values);
      this.addEventListener("open", () => this.send('{"type": "ping", "id": 1}'));
      this.addEventListener("message", ({ data }) => data.includes('"pong"') && pongs.push(data));
    }
  }
  const stream = new AsrClient(SERVER, { WebSocket: WitnessedSocket }).stream(OPTIONS);
  stream.end();
  assert.equal((await heard(stream)).reason, "completed");
  assert.equal(pongs.length, 1);
});

test("who follows through a connection that is cut is told each final once", async () => {
  const pcm = await readFile(SPEECH);
  const stream = new AsrClient(SERVER).stream(OPTIONS);
  const finals = [];
  const follow = async (sessionId) => {
    const told = { finals: [], losses: 0, statuses: [] };
    for await (const event of new AsrClient(PROXY).follow(sessionId)) {
      if (event.type === "session") told.statuses.push(event.status);
      if (event.type === "reconnecting") told.losses++;
      if (event.type !== "final") continue;
      told.finals.push([event.utterance, event.text]);
      await fetch(`${BREAKER}/0`, { headers: { connection: "close" } });
    }
    return told;
  };
  const known = async (sessionId) => {
    while (!(await fetch(`${SERVER}/api/v1/sessions/${sessionId}`)).ok);
    return follow(sessionId);
  };
  const speaking = speak(stream, pcm, 4);
  let following;
  for await (const event of stream) {
    if (event.type === "started") following = known(event.session_id);
    if (event.type === "final" && event.text) finals.push([event.utterance, event.text]);
  }
  await speaking;
  const told = await following;
  assert.deepEqual(told.finals.filter(([, text]) => text), finals);
  assert.ok(finals.length >= 3);
  assert.ok(told.losses >= 1);
  assert.equal(told.statuses.at(-1), "closed");
});

test("a session is cancelled by its id, and one that does not exist is refused", async () => {
  const client = new AsrClient(SERVER);
  const stream = client.stream(OPTIONS);
  const cancel = async (sessionId) => {
    while (!(await fetch(`${SERVER}/api/v1/sessions/${sessionId}`)).ok);
    assert.equal((await client.cancel(sessionId)).id, sessionId);
  };
  const listen = async () => {
    for await (const event of stream) if (event.type === "started") await cancel(event.session_id);
  };
  await assert.rejects(listen(), { name: "StreamFailed", code: "session_cancelled" });
  await assert.rejects(client.cancel("ses_none"), { name: "RequestRefused", code: "not_found" });
  await assert.rejects(client.follow("ses_none").next(), { name: "RequestRefused", code: "not_found" });
});
