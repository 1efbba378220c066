// A stream against a server that the test plays: what it sends, what it tells, when it connects again and when it gives up.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as settled } from "node:timers/promises"; // what can be done now is done

import * as client from "../../frontend/asr-client.js";

/** Connections that the code under test opens, in their order. */
class Server {
  #sockets = [];
  #awaited = [];

  constructor() {
    const server = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url, options) {
        super(url, options);
        server.#sockets.push(this);
        server.#awaited.shift()?.();
      }
    };
  }

  stream(options = {}, policy = {}) {
    return new client.AsrClient("http://server.test/base/", { WebSocket: this.WebSocket, ...policy }).stream(options);
  }

  get isAsked() {
    return this.#sockets.length > 0;
  }

  async connection() {
    if (!this.#sockets.length) await new Promise((resolve) => this.#awaited.push(resolve));
    return this.#sockets.shift();
  }
}

class FakeSocket {
  bufferedAmount = 0;
  readyState = 0;
  #sent = [];
  #awaited = null;
  #onClosed;

  constructor(url, options) {
    this.url = url;
    this.options = options;
    this.isClosed = false;
    this.closed = new Promise((resolve) => (this.#onClosed = resolve));
  }

  open() {
    this.readyState = 1;
    this.onopen();
    return this.next();
  }

  send(data) {
    this.#sent.push(typeof data === "string" ? JSON.parse(data) : new Uint8Array(data).length);
    this.#awaited?.();
  }

  /** What the code under test sends next: a message, or the length of a packet. */
  async next() {
    while (!this.#sent.length) await new Promise((resolve) => (this.#awaited = resolve));
    return this.#sent.shift();
  }

  tell(...messages) {
    for (const message of messages) this.onmessage({ data: JSON.stringify(message) });
  }

  close() {
    this.isClosed = true;
    this.#onClosed();
  }

  lose() {
    this.onclose();
  }
}

const STARTED = { type: "started", session_id: "a", resume: { token: "secret", expires_s: 600 } };
const UNRESUMABLE = { ...STARTED, resume: null };
const resumed = (audio_from_ms) => ({ ...STARTED, type: "resumed", audio_from_ms });
const final = (utterance, text = `text ${utterance}`) => ({ type: "final", utterance, text });
const ENDED = { type: "ended", reason: "completed" };
const fatal = (code, retry_after_s = null) => ({ type: "error", code, message: "No.", hint: "Do.", fatal: true, retry_after_s });

async function told(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events.map(({ type, utterance }) => (utterance === undefined ? type : `${type} ${utterance}`));
}

async function started(stream, server, message = STARTED) {
  const socket = await server.connection();
  await socket.open();
  socket.tell(message);
  return socket;
}

test("a stream that is lost goes on where the server wants it to, and nothing is told twice", async () => {
  const server = new Server();
  const stream = server.stream({ language: "en" });
  const events = told(stream);
  const first = await server.connection();
  assert.equal(first.url, "ws://server.test/base/api/v1/stream");
  assert.deepEqual(await first.open(), {
    type: "start",
    audio: { encoding: "pcm_s16le", sample_rate: 16_000, channels: 1 },
    language: "en",
  });
  const packet = new Uint8Array(3_200);
  stream.send(packet);
  first.tell(STARTED, { type: "of_tomorrow" });
  stream.configure({ language: "zh" });
  stream.send(packet.buffer);
  stream.endpoint();
  stream.send(new Int16Array(packet.buffer, 0, 1_600));
  stream.end();
  for (const wanted of [3_200, { type: "configure", language: "zh" }, 3_200, { type: "endpoint" }, 3_200, { type: "end" }]) {
    assert.deepEqual(await first.next(), wanted);
  }
  first.tell(final(0), { type: "safe", utterances: 1, audio_ms: 80 });
  first.lose();

  const second = await server.connection();
  assert.deepEqual(await second.open(), { type: "resume", token: "secret", finals: 1 });
  second.tell(resumed(120), final(0), { type: "partial", utterance: 0 });
  for (const wanted of [2_560, { type: "endpoint" }, 3_200, { type: "end" }]) assert.deepEqual(await second.next(), wanted);
  second.tell({ type: "failed", utterance: 1 }, ENDED);
  await second.closed;
  assert.deepEqual(await events, ["started", "final 0", "safe", "reconnecting", "resumed", "failed 1", "ended"]);
  assert.throws(() => stream.send(packet), { code: "out_of_turn", name: "StreamFailed" });
});

test("packets belong to the caller again when they are given", async () => {
  const server = new Server();
  const stream = server.stream();
  const packet = Uint8Array.of(1, 2);
  stream.send(packet);
  packet.fill(9);
  const socket = await server.connection();
  socket.send = (data) => assert.ok(typeof data === "string" || data[0] === 1);
  socket.onopen();
  socket.tell(STARTED, ENDED);
  assert.deepEqual(await told(stream), ["started", "ended"]);
});

test("a session that nobody knows any more begins anew if nothing was told yet", async () => {
  const server = new Server();
  const stream = server.stream();
  const events = told(stream);
  const first = await started(stream, server);
  stream.send(new Uint8Array(640));
  assert.equal(await first.next(), 640);
  first.lose();
  const second = await server.connection();
  assert.equal((await second.open()).type, "resume");
  second.tell(fatal("session_not_resumable"));
  const third = await server.connection();
  assert.equal((await third.open()).type, "start");
  third.tell(STARTED);
  assert.equal(await third.next(), 640);
  third.tell(final(0), ENDED);
  assert.deepEqual(await events, ["started", "reconnecting", "started", "final 0", "ended"]);
});

test("a session is lost if a part of it was told", async () => {
  const server = new Server();
  const stream = server.stream();
  const failure = assert.rejects(told(stream), { name: "SessionLost", code: "session_not_resumable" });
  const first = await started(stream, server);
  stream.send(new Uint8Array(640));
  await first.next();
  first.tell(final(0));
  first.lose();
  const second = await server.connection();
  second.onopen();
  second.tell(fatal("session_not_resumable"));
  await failure;
});

test("what cannot be resumed is lost, too, if a part of it was told", async () => {
  const server = new Server();
  const stream = server.stream({ store: false });
  const failure = assert.rejects(told(stream), { name: "SessionLost" });
  stream.send(new Uint8Array(640));
  const first = await started(stream, server, UNRESUMABLE);
  first.tell(final(0));
  first.lose();
  await started(stream, server, UNRESUMABLE);
  await failure;
});

test("a file is read again from its beginning, and its finals are told once", async () => {
  const server = new Server();
  const stream = server.stream({ audio: { encoding: "container" } });
  const events = told(stream);
  stream.send(new Blob([new Uint8Array(100_000)]));
  stream.end();
  const upload = [65_536, 34_464, { type: "end" }];
  const first = await started(stream, server, UNRESUMABLE);
  for (const wanted of upload) assert.deepEqual(await first.next(), wanted);
  first.tell({ type: "speech_started", utterance: 0 }, final(0), { type: "speech_started", utterance: 1 });
  first.lose();
  const second = await started(stream, server, UNRESUMABLE);
  for (const wanted of upload) assert.deepEqual(await second.next(), wanted);
  second.tell({ type: "speech_started", utterance: 0 }, final(0), { type: "speech_started", utterance: 1 }, final(1), ENDED);
  assert.deepEqual(await events, [
    ...["started", "speech_started 0", "final 0", "speech_started 1", "reconnecting"],
    ...["started", "speech_started 1", "final 1", "ended"],
  ]);
});

test("a file that cannot be read fails the stream", async () => {
  const server = new Server();
  const stream = server.stream({ audio: { encoding: "container" } });
  const failure = assert.rejects(told(stream), { name: "StreamFailed", code: "file_unreadable" });
  const file = new Blob([new Uint8Array(10)]);
  file.slice = () => ({ arrayBuffer: () => Promise.reject(new Error("gone")) });
  stream.send(file);
  await started(stream, server);
  await failure;
});

test("of a recording that is sent at once, all that sockets may hold can be asked for again", async () => {
  const server = new Server();
  const stream = server.stream();
  const events = told(stream);
  const first = await started(stream, server);
  const minute = new Uint8Array(60 * 32_000);
  for (let count = 0; count < 5; count++) {
    stream.send(minute);
    for (let sent = 0; sent < minute.length; ) sent += await first.next();
  }
  first.lose();
  const second = await server.connection();
  await second.open();
  second.tell(resumed(0));
  for (let sent = 0; sent < 5 * minute.length; ) sent += await second.next();
  second.tell(ENDED);
  assert.deepEqual(await events, ["started", "reconnecting", "resumed", "ended"]);
});

test("audio that is not kept any more cannot be asked for", async () => {
  const server = new Server();
  const stream = server.stream({}, { maxKeptS: 0.1 });
  const failure = assert.rejects(told(stream), { name: "ReplayLost", code: "replay_lost" });
  const first = await started(stream, server);
  for (let count = 0; count < 3; count++) {
    stream.send(new Uint8Array(3_200));
    await first.next();
  }
  first.lose();
  const second = await server.connection();
  second.onopen();
  second.tell(resumed(0));
  await failure;
});

test("errors that pass are waited out, others are thrown with what to do", async () => {
  const server = new Server();
  const stream = server.stream();
  const failure = assert.rejects(told(stream), { name: "StreamFailed", code: "session_taken_over", hint: "Do.", message: "No." });
  for (const passing of [fatal("going_away", 0), fatal("storage_unavailable"), fatal("of_tomorrow", 0)]) {
    (await started(stream, server)).tell(passing);
  }
  const last = await server.connection();
  last.onopen();
  last.tell(fatal("session_taken_over"));
  await failure;
  await last.closed;
});

test("an error that is not fatal is thrown too", async () => {
  const server = new Server();
  const stream = server.stream({ langage: "en" });
  const failure = assert.rejects(told(stream), { name: "StreamFailed", code: "malformed_message" });
  const socket = await server.connection();
  socket.onopen();
  socket.tell({ ...fatal("malformed_message"), fatal: false });
  await failure;
});

test("pauses between attempts are doubled up to five seconds, and begin anew with the next loss", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const server = new Server();
  const stream = server.stream();
  const pause = async (ms) => {
    await settled();
    context.mock.timers.tick(ms - 1);
    await settled();
    assert.equal(server.isAsked, false);
    context.mock.timers.tick(1);
  };
  for (const pauseMs of [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
    (await server.connection()).lose();
    await pause(pauseMs);
  }
  (await started(stream, server)).lose();
  await pause(100);
  (await started(stream, server)).tell(fatal("overloaded", 7));
  await pause(7_000);
  (await server.connection()).lose();
  await pause(7_000);
  stream.close();
});

test("a server that is not reached for long enough is given up", async () => {
  const server = new Server();
  const stream = server.stream({}, { giveUpAfterS: 0 });
  const failure = assert.rejects(told(stream), { name: "ServerUnreachable", code: "server_unreachable" });
  const socket = await server.connection();
  socket.lose();
  await failure;
});

test("a stream that is closed ends, connected or not, and so does one whose loop is left", async () => {
  for (const isLost of [false, true]) {
    const server = new Server();
    const stream = server.stream();
    const socket = await started(stream, server);
    if (isLost) socket.lose();
    stream.close();
    await socket.closed;
    assert.deepEqual(await told(stream), []);
    await stream.send(new Uint8Array(2)); // in vain, and no error: a microphone does not know yet
  }
  const server = new Server();
  const stream = server.stream();
  const socket = await started(stream, server);
  for await (const event of stream) if (event.type === "started") break;
  await socket.closed;
});

test("whoever has much to send waits for room, and whoever does not wait is stopped", async () => {
  const server = new Server();
  const patient = server.stream();
  let hasRoom = false;
  const room = patient.send(new Uint8Array(1_500_000)).then(() => (hasRoom = true));
  const socket = await server.connection();
  await socket.open();
  assert.equal(hasRoom, false);
  socket.tell(STARTED);
  await room;
  patient.close();

  const hasty = server.stream({}, { maxKeptS: 120 });
  const failure = assert.rejects(told(hasty), { name: "StreamFailed", code: "too_much_waiting" });
  for (let count = 0; count < 4; count++) hasty.send(new Uint8Array(1_000_000));
  await failure;
});

test("partials give way to the next ones while nobody reads, and what nobody reads at all is bounded", async () => {
  const server = new Server();
  const stream = server.stream();
  const socket = await started(stream, server);
  const partial = (utterance, revision) => ({ type: "partial", utterance, revision });
  socket.tell(partial(0, 1), partial(0, 2), final(0), partial(1, 1), ENDED);
  assert.deepEqual(await told(stream), ["started", "partial 0", "final 0", "partial 1", "ended"]);

  const unread = server.stream();
  const flood = await started(unread, server);
  for (let utterance = 0; utterance < 10_000; utterance++) flood.tell(final(utterance));
  await assert.rejects(told(unread), { code: "events_not_read" });
});

test("a connection that is silent is asked, and given up if it does not answer", async (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const wait = (ms) => {
    now += ms;
    context.mock.timers.tick(ms);
  };
  const server = new Server();
  const stream = server.stream();
  const first = await started(stream, server);
  wait(10_000);
  assert.deepEqual(await first.next(), { type: "ping" });
  first.tell({ type: "pong", id: null });
  wait(10_000);
  assert.deepEqual(await first.next(), { type: "ping" });
  first.bufferedAmount = 1; // the server does not read: it is busy
  for (const _ of [1, 2, 3]) wait(10_000);
  await settled();
  assert.equal(first.isClosed, false);
  first.bufferedAmount = 0;
  wait(10_000);
  const second = await server.connection();
  assert.equal((await second.open()).type, "resume");
  await first.closed;
  stream.close();
});

test("a key goes with the handshake where that is possible, and an address must be one", async () => {
  const server = new Server();
  const { WebSocket } = server;
  new client.AsrClient("wss://server.test", { WebSocket, apiKey: "key" }).stream().close();
  const socket = await server.connection();
  assert.equal(socket.url, "wss://server.test/api/v1/stream");
  assert.deepEqual(socket.options, { headers: { Authorization: "Bearer key" } });
  assert.throws(() => new client.AsrClient("ftp://server.test"), TypeError);
  assert.throws(() => new client.AsrClient("server"), TypeError);
  assert.throws(() => new client.AsrClient("http://server.test", { WebSocket: null }).stream(), /pass one in/);
});
