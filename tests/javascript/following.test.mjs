// A follower against a server that the test plays: what it asks for, what it tells, when it connects again and when it gives up.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { setImmediate as settled } from "node:timers/promises"; // what can be done now is done

import { AsrClient, EventReader } from "../../frontend/asr-client.js";

const SESSION = { id: "ses_1", status: "listening", resumable_until: null };
const CLOSED = { ...SESSION, status: "closed" };
const CUT = new TypeError("terminated");
const genuineFetch = globalThis.fetch;

afterEach(() => {
  globalThis.fetch = genuineFetch;
});

const frame = (name, data) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const session = (fields = SESSION) => frame("session", fields);
const final = (utterance) => frame("final", { type: "final", utterance, text: `text ${utterance}` });
const problem = (status, code, headers = {}) => [status, { detail: "No.", code, hint: "Do.", status }, headers];

/** Answers one request after the other: with a stream of parts, cut off by an error among them, or `[status, body, headers]`. */
function play(...answers) {
  const requests = [];
  globalThis.fetch = async (url, { signal, ...request }) => {
    requests.push({ url, known: request.headers["Last-Event-ID"], ...request });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    if (typeof answer[0] === "number") return new Response(JSON.stringify(answer[1]), { status: answer[0], headers: answer[2] });
    const parts = [...answer];
    const body = new ReadableStream({
      start: (controller) => signal.addEventListener("abort", () => controller.error(signal.reason), { once: true }),
      pull(controller) {
        const part = parts.shift();
        if (part === undefined) controller.close();
        else if (part instanceof Error) controller.error(part);
        else if (part !== SILENCE) controller.enqueue(new TextEncoder().encode(part));
        else return new Promise(() => {});
      },
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  };
  return requests;
}
const SILENCE = Symbol("nothing more comes, and the connection stays");

async function told(follower) {
  const events = [];
  for await (const { type, utterance } of follower) events.push(utterance === undefined ? type : `${type} ${utterance}`);
  return events;
}

const follow = (policy = {}, options = {}) => new AsrClient("http://server.test/base/", policy).follow("ses_1", options);

test("a session is followed to its end, and who asks is told", async () => {
  const events = session() + ": ping\n\n" + frame("of_tomorrow", {}) + final(0) + frame("failed", { type: "failed", utterance: 1 });
  const requests = play([...(events + session(CLOSED))]); // one character at a time
  assert.deepEqual(await told(follow({ apiKey: "key" })), ["session", "final 0", "failed 1", "session"]);
  const { url, headers, known } = requests[0];
  assert.equal(url, "http://server.test/base/api/v1/sessions/ses_1/events");
  assert.deepEqual([headers.Authorization, known], ["Bearer key", undefined]);
});

test("the finals of a session that is over come after it", async () => {
  play([session(CLOSED), final(0), final(1)]);
  assert.deepEqual(await told(follow()), ["session", "final 0", "final 1"]);
});

test("after losses each outcome is told once, also those that the server has missed", async () => {
  const requests = play(
    [session(), final(0), final(2), CUT],
    new TypeError("fetch failed"),
    [session(), final(1), final(2), final(3)],
    [session(CLOSED), frame("error", { status: 503, code: "server_stopping", detail: "Stop.", hint: null })],
    [session(CLOSED), final(3), final(4)],
  );
  const events = await told(follow());
  const again = ["reconnecting", "session"];
  assert.deepEqual(events, ["session", "final 0", "final 2", ...again, "final 1", "final 3", ...again, ...again, "final 4"]);
  assert.deepEqual(
    requests.map(({ known }) => known),
    [undefined, "0", "0", "3", "3"],
  );
});

test("a refusal is told at once, and what fails in the middle after what came before", async () => {
  play(problem(404, "not_found"));
  await assert.rejects(told(follow()), { name: "RequestRefused", code: "not_found", hint: "Do.", retryAfterS: null });
  play([401, "who are you", {}]);
  await assert.rejects(told(follow()), { name: "RequestRefused", code: "refused" });
  play([session() + final(0) + frame("error", { status: 500, code: "internal_error", detail: "No.", hint: null })]);
  const events = [];
  const listen = async () => {
    for await (const { type } of follow()) events.push(type);
  };
  await assert.rejects(listen(), { name: "StreamFailed", code: "internal_error" });
  assert.deepEqual(events, ["session", "final"]);
});

test("a server without room says at last when to come, and one that stays away is given up", async () => {
  play(problem(503, "overloaded", { "Retry-After": "0" }), [session(CLOSED)]);
  assert.deepEqual(await told(follow()), ["reconnecting", "session"]);
  play(problem(503, "overloaded", { "Retry-After": "7" }));
  await assert.rejects(told(follow({ giveUpAfterS: -1 })), { name: "RequestRefused", code: "overloaded", retryAfterS: 7 });
  play(new TypeError("fetch failed"));
  await assert.rejects(told(follow({ giveUpAfterS: -1 })), { name: "ServerUnreachable", hint: /running/ });
});

test("what is no stream of events is told", async () => {
  play([200, "a page", { "Content-Type": "text/html" }]);
  await assert.rejects(told(follow()), { name: "StreamFailed", code: "malformed_message" });
  play(["data: " + "x".repeat(5 * 1024 * 1024)]);
  await assert.rejects(told(follow()), { name: "StreamFailed", code: "malformed_message" });
});

test("who is told to stop, or leaves the loop, listens no more", async () => {
  play([session(), SILENCE]);
  const stop = new AbortController();
  const events = [];
  for await (const { type } of follow({}, { signal: stop.signal })) {
    events.push(type);
    stop.abort();
  }
  assert.deepEqual(events, ["session"]);

  const requests = play([session(), SILENCE], [session(), SILENCE]);
  for await (const event of follow()) if (event.type === "session") break;
  assert.equal(requests.length, 1);

  play(new TypeError("fetch failed"));
  const pausing = new AbortController();
  const follower = follow({}, { signal: pausing.signal });
  assert.equal((await follower.next()).value.type, "reconnecting");
  const next = follower.next();
  pausing.abort();
  assert.deepEqual(await next, { value: undefined, done: true });
});

test("a connection on which not even pings come is made again", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  play([session(), SILENCE], [session(CLOSED)]);
  const follower = follow();
  assert.equal((await follower.next()).value.type, "session");
  const next = follower.next();
  await settled();
  context.mock.timers.tick(44_999);
  await settled();
  assert.equal(await Promise.race([next, Promise.resolve("waits")]), "waits");
  context.mock.timers.tick(1);
  assert.equal((await next).value.type, "reconnecting");
  const again = follower.next();
  await settled();
  context.mock.timers.tick(100);
  assert.equal((await again).value.status, "closed");
});

test("lines of events end where the standard says", () => {
  const stream = "event: a\r\ndata: 1\u2028\r\n\r\nevent:b\rdata: 2\r\rdata\ndata: 3\n\nevent: none\n\n";
  const wanted = [
    { name: "a", data: "1\u2028" },
    { name: "b", data: "2" },
    { name: "message", data: "\n3" },
  ];
  for (const size of [1, 2, 5, stream.length]) {
    const reader = new EventReader();
    const events = [];
    for (let at = 0; at < stream.length; at += size) events.push(...reader.feed(stream.slice(at, at + size)));
    assert.deepEqual(events, wanted);
  }
});

test("a session is cancelled, or the refusal told", async () => {
  const requests = play([202, SESSION, {}], problem(409, "session_not_live"), new TypeError("fetch failed"));
  const client = new AsrClient("http://server.test", { apiKey: "key" });
  assert.deepEqual(await client.cancel("ses/1"), SESSION);
  const { url, method, headers } = requests[0];
  assert.equal(url, "http://server.test/api/v1/sessions/ses%2F1/cancel");
  assert.deepEqual([method, headers.Authorization], ["POST", "Bearer key"]);
  await assert.rejects(client.cancel("ses_1"), { name: "RequestRefused", code: "session_not_live" });
  await assert.rejects(client.cancel("ses_1"), { name: "ServerUnreachable" });
});
