// The client of the native protocol (docs/api/clients.md): live streams and followers that survive the loss of their connection, and files.
// One module without dependencies, for browsers and for Node.

const STREAM_PATH = "/api/v1/stream";
const TRANSCRIPTIONS_PATH = "/v1/audio/transcriptions";
const SESSIONS_PATH = "/api/v1/sessions";
const SAMPLE_BYTES = { pcm_s16le: 2, pcm_f32le: 4, mulaw: 1, alaw: 1 };
const FIRST_PAUSE_MS = 100; // between attempts to connect, doubled each time
const LONGEST_PAUSE_MS = 5_000;
const PING_MS = 10_000; // a connection that is silent for so long is asked whether it is alive
const DEAD_MS = 30_000; // and given up after so long without an answer,
const STUCK_MS = 120_000; // or after so long if the question has not even left the socket, since the server reads no more
const BLOCK_BYTES = 64 * 1024; // of a file, or of a long packet, that are sent at once
const SOCKET_BYTES = 1024 * 1024; // what may wait in the socket before more is given to it
const ROOM_BYTES = 1024 * 1024; // what may wait here before `send` asks for patience
const KEPT_S = 120; // a server holds back half a minute at most,
const KEPT_BYTES = 16 * 1024 * 1024; // and sockets on the way 11 MiB of a recording that is sent as fast as it is taken
const MAX_EVENTS = 10_000; // that nobody has read
const SILENCE_MS = 45_000; // a server says something to a follower every 15 s, if only that it is there
const MAX_EVENT_CHARACTERS = 4 * 1024 * 1024; // of a follower's event; the longest utterance with all its words has less than a tenth
const MAX_AHEAD = 10_000; // outcomes beyond a gap among them, before the gap is given up
const FOLLOWED = new Set("speech_started partial speech_ended final failed".split(" "));
const PASSING_REFUSALS = new Set([429, 502, 503, 504]);
const PASSING_FAILURES = new Set([408, ...PASSING_REFUSALS]); // in the middle; who was too slow is told what it missed
const EVENTS = new Set(
  "started resumed safe going_away speech_started partial speech_ended final failed ended".split(" "),
);
const PASSING_CODES = new Set(
  "going_away internal_error overloaded storage_unavailable idle_timeout client_too_slow".split(" "),
);

/** Any failure that this module names: `code` is the server's slug, or one of its own; `hint` says what to do about it, or is null. */
export class ClientError extends Error {
  /**
   * @param {string} message
   * @param {{code: string, hint?: string | null, retryAfterS?: number | null, cause?: unknown}} details
   */
  constructor(message, { code, hint = null, retryAfterS = null, cause }) {
    super(message, { cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = hint;
    this.retryAfterS = retryAfterS;
  }
}
/** No server took the connection for as long as was to be tried. */
export class ServerUnreachable extends ClientError {}
/** The server did not take the request, or could not fulfil it. */
export class RequestRefused extends ClientError {}
/** The stream ended with an error that a new connection would not mend. */
export class StreamFailed extends ClientError {}
/** The session cannot be taken up again, after part of it was told. */
export class SessionLost extends ClientError {}
/** The server wants audio again that is not kept any more: more of it than `maxKeptS`. */
export class ReplayLost extends ClientError {}

/**
 * A packet of audio, a file of it, or a message of the protocol that has its place between them.
 * @typedef {Uint8Array | Blob | string} Item
 */
/**
 * A message of the server as the protocol has it, with its fields besides; `reconnecting` is of this module.
 * @typedef {{type: "started" | "resumed" | "safe" | "going_away" | "speech_started" | "partial" | "speech_ended" | "final" |
 *   "failed" | "ended" | "reconnecting", [field: string]: any}} AsrEvent
 */

const sizeOf = (item) => (typeof item === "string" ? 0 : (item.byteLength ?? item.size));
const memoryOf = (item) => (item instanceof Uint8Array ? item.byteLength : 0); // a file stays on its disk

/**
 * Keeps what was given until the server calls the audio before it safe.
 *
 * Holds at most `maxBytes` of audio that was sent before; beyond, the oldest is forgotten, and `rewind` fails if it is asked for.
 */
export class ReplayBuffer {
  #items = [];
  #sent = 0; // items at the head that were handed out
  #end = 0; // bytes of audio given so far
  #keptBytes = 0; // in memory
  #unsentBytes = 0; // of them
  #skipBytes = 0; // of the item that is next

  /**
   * @param {number} bytesPerS
   * @param {number} maxBytes
   */
  constructor(bytesPerS, maxBytes) {
    this.bytesPerS = bytesPerS;
    this.maxBytes = maxBytes;
  }

  /** Bytes of audio before what is kept. */
  get beginsAt() {
    return this.#items.length ? this.#items[0].position : this.#end;
  }

  /** Bytes in memory that `take` has not handed out yet, or has to hand out again. */
  get unsentBytes() {
    return this.#unsentBytes;
  }

  /** @param {Item} item */
  append(item) {
    this.#items.push({ position: this.#end, end: this.#end + sizeOf(item), item });
    this.#end += sizeOf(item);
    this.#keptBytes += memoryOf(item);
    this.#unsentBytes += memoryOf(item);
    while (this.#sent && this.#keptBytes > this.maxBytes) this.#forgetFirst();
  }

  /** @returns {Item | undefined} The next item to send, if there is one. */
  take() {
    if (this.#sent === this.#items.length) return undefined;
    let { item } = this.#items[this.#sent++];
    this.#unsentBytes -= memoryOf(item);
    if (this.#skipBytes && typeof item !== "string") item = item.slice(this.#skipBytes);
    this.#skipBytes = 0;
    return item;
  }

  /** Frees the audio before a position that the server called safe, and what was said before it. */
  forgetBefore(ms) {
    const position = this.#bytesAt(ms);
    while (this.#sent && this.#items[0].end <= position && this.#items[0].position < position) this.#forgetFirst();
  }

  /** Goes back to a position, so that `take` begins there; whether all from there on is kept. */
  rewind(ms) {
    const position = this.#bytesAt(ms);
    if (position < this.beginsAt || position > this.#end) return false;
    const next = this.#items.findIndex(({ end }) => end > position);
    this.#sent = next < 0 ? this.#items.length : next;
    while (this.#sent && this.#items[this.#sent - 1].position >= position) this.#sent--; // a message at this very place
    const unsent = this.#items.slice(this.#sent);
    this.#unsentBytes = unsent.reduce((sum, { item }) => sum + memoryOf(item), 0);
    this.#skipBytes = unsent.length ? Math.max(0, position - unsent[0].position) : 0;
    return true;
  }

  #forgetFirst() {
    this.#keptBytes -= memoryOf(this.#items.shift().item);
    this.#sent--;
  }

  #bytesAt(ms) {
    return Math.floor((ms * this.bytesPerS) / 1_000);
  }
}

/** Events on their way to the one who reads them. A partial that nobody has read gives way to the next one. */
class EventQueue {
  #events = [];
  #finish = null; // what is told after the last event
  #wake = () => {};

  push(event) {
    if (this.#finish) return;
    const last = this.#events.at(-1);
    const replaces = event.type === "partial" && last?.type === "partial" && last.utterance === event.utterance;
    if (replaces) this.#events.pop();
    if (this.#events.length >= MAX_EVENTS) {
      throw new StreamFailed(`${MAX_EVENTS} events were not read.`, { code: "events_not_read", hint: "Iterate over the stream." });
    }
    this.#events.push(event);
    this.#wake();
  }

  /** @param {Error} [error] Thrown after the last event; without it the iteration ends. */
  finish(error) {
    this.#finish ??= { error };
    this.#wake();
  }

  async next() {
    while (!this.#events.length && !this.#finish) await new Promise((resolve) => (this.#wake = resolve));
    if (this.#events.length) return { value: this.#events.shift(), done: false };
    const { error } = this.#finish;
    this.#finish = {};
    if (error) throw error;
    return { value: undefined, done: true };
  }

  clear() {
    this.#events = [];
  }
}

/**
 * One session: `for await (const event of stream)` gives the protocol's messages from `started` to `ended`, each once, and
 * `{type: "reconnecting"}` when the connection is lost; `started` or `resumed` follows when it goes on. Errors are thrown there.
 * A loop that is left closes the stream. It has one reader.
 */
export class AsrStream {
  #connect;
  #start;
  #policy;
  #buffer;
  #queue = new EventQueue();
  #token = null;
  #outcomes = 0; // finals and failures that were told
  #isRereadable = true; // the audio is files only, which can be sent anew from the beginning
  #isOver = false; // whoever sends, sends in vain
  #isEnded = false; // by `end`
  #isLossTold = false; // that of the present connection
  #pauseMs = FIRST_PAUSE_MS;
  #lose = () => {}; // the present connection, or the pause between two
  #wakeSender = () => {};
  #waiting = []; // for room
  #reachedAt = performance.now();

  /** Made by `AsrClient.stream`. */
  constructor(connect, { audio = {}, ...options }, policy) {
    const format = { encoding: "pcm_s16le", sample_rate: 16_000, channels: 1, ...audio };
    const bytesPerS = (SAMPLE_BYTES[format.encoding] ?? 1) * format.sample_rate * format.channels; // of a container unused
    this.#connect = connect;
    this.#start = { type: "start", audio: format, ...options };
    this.#policy = policy;
    const { maxKeptS } = policy;
    const maxBytes = maxKeptS === undefined ? Math.max(KEPT_S * bytesPerS, KEPT_BYTES) : maxKeptS * bytesPerS;
    this.#buffer = new ReplayBuffer(bytesPerS, maxBytes);
    void this.#run();
  }

  /**
   * Audio to send. Whoever has more of it than comes in real time awaits each call.
   * @param {ArrayBuffer | ArrayBufferView | Blob} packet Of any size. Bytes are copied; a file is read when it is sent.
   * @returns {Promise<void>} Resolves when there is room for more.
   */
  send(packet) {
    if (packet instanceof Blob) {
      this.#give(packet);
    } else {
      const view = ArrayBuffer.isView(packet);
      const bytes = view ? new Uint8Array(packet.buffer, packet.byteOffset, packet.byteLength) : new Uint8Array(packet);
      this.#isRereadable = false;
      for (let from = 0; from < bytes.length; from += BLOCK_BYTES) this.#give(bytes.slice(from, from + BLOCK_BYTES));
    }
    if (this.#isOver || this.#buffer.unsentBytes <= ROOM_BYTES) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Other options from the next utterance on, for example `{language: "en"}`. */
  configure(options) {
    this.#give(JSON.stringify({ type: "configure", ...options }));
  }

  /** Ends the open utterance after the audio given so far. */
  endpoint() {
    this.#give('{"type": "endpoint"}');
  }

  /** No more audio; what is owed still comes. */
  end() {
    if (this.#isEnded) return;
    this.#give('{"type": "end"}');
    this.#isEnded = true;
  }

  /** Nothing more is wanted: the iteration ends. */
  close() {
    this.#queue.clear();
    this.#finish();
  }

  /** @returns {AsyncIterator<AsrEvent>} */
  [Symbol.asyncIterator]() {
    return {
      next: () => this.#queue.next(),
      return: async () => {
        this.close();
        return { value: undefined, done: true };
      },
    };
  }

  // --- what is sent

  #give(item) {
    if (this.#isEnded) throw new StreamFailed("The audio has ended.", { code: "out_of_turn" });
    if (this.#isOver) return;
    this.#buffer.append(item);
    if (this.#buffer.unsentBytes <= Math.max(this.#buffer.maxBytes, 2 * ROOM_BYTES)) return this.#wakeSender();
    const hint = "Await send(), give a file as a Blob, or maxKeptS a greater value.";
    this.#finish(new StreamFailed("More audio waits to be sent than may be kept.", { code: "too_much_waiting", hint }));
  }

  async #sendAll(socket, isLost) {
    while (!isLost()) {
      const item = this.#buffer.take();
      if (item === undefined) {
        await new Promise((resolve) => (this.#wakeSender = resolve));
      } else if (item instanceof Blob) {
        for (let from = 0; from < item.size && !isLost(); from += BLOCK_BYTES) {
          await this.#sendOne(socket, isLost, await blockOf(item, from));
        }
      } else {
        await this.#sendOne(socket, isLost, item);
      }
    }
  }

  async #sendOne(socket, isLost, data) {
    while (socket.bufferedAmount > SOCKET_BYTES && !isLost()) await pause(20); // a socket does not say when it has room
    if (!isLost()) socket.send(data);
    if (this.#buffer.unsentBytes <= ROOM_BYTES) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  // --- what is told

  async #run() {
    try {
      while (!this.#isOver) {
        await this.#converse();
        if (!this.#isOver) await this.#pause();
      }
    } catch (error) {
      this.#finish(error);
    }
  }

  /** One connection; resolves when it is lost or not wanted any more. */
  #converse() {
    return new Promise((resolve, reject) => {
      const socket = this.#connect();
      let lost = false;
      const over = (settle) => (error) => {
        if (lost) return;
        lost = true;
        watch.stop();
        this.#wakeSender();
        socket.close();
        settle(error);
      };
      const [lose, fail] = [over(() => resolve()), over(reject)];
      const watch = watched(socket, lose);
      this.#lose = lose;
      socket.binaryType = "arraybuffer";
      socket.onopen = () => socket.send(JSON.stringify(this.#greeting()));
      socket.onclose = socket.onerror = () => lose();
      socket.onmessage = ({ data }) => {
        if (lost) return;
        try {
          watch.heard();
          const message = JSON.parse(data);
          if (message.type === "error") return this.#judge(message) && lose();
          if (this.#hear(message)) this.#sendAll(socket, () => lost).catch(fail);
        } catch (error) {
          fail(error);
        }
      };
    });
  }

  #greeting() {
    return this.#token ? { type: "resume", token: this.#token, finals: this.#outcomes } : this.#start;
  }

  /** Takes notice of a message and tells it; whether audio may be sent from now on. */
  #hear(message) {
    const begins = message.type === "started" || message.type === "resumed";
    this.#reachedAt = performance.now();
    if (begins) this.#begin(message);
    if (!EVENTS.has(message.type) || message.utterance < this.#outcomes) return begins; // or it was told before the loss
    if (message.type === "safe") this.#buffer.forgetBefore(message.audio_ms);
    this.#queue.push(message);
    if (message.type === "final" || message.type === "failed") this.#outcomes = message.utterance + 1;
    if (message.type === "ended") this.#finish();
    return begins;
  }

  #begin({ type, resume, audio_from_ms: fromMs = 0 }) {
    if (type === "started" && this.#outcomes && !this.#isRereadable) {
      throw new SessionLost("The session cannot be resumed.", { code: "session_not_resumable" });
    }
    this.#token = resume?.token ?? null;
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#isLossTold = false;
    if (!this.#buffer.rewind(fromMs)) {
      throw new ReplayLost(`The server wants the audio from ${fromMs} ms on, which is not kept.`, { code: "replay_lost" });
    }
  }

  /** Whether to connect again after an error; throws what a new connection would not mend. */
  #judge({ code, message, hint, fatal, retry_after_s: retryAfterS }) {
    if (fatal && code === "session_not_resumable") {
      if (this.#buffer.beginsAt || (this.#outcomes && !this.#isRereadable)) throw new SessionLost(message, { code, hint });
      this.#token = null; // nothing was told yet, or will be told twice, and all of the audio is here
      return true;
    }
    if (fatal && (PASSING_CODES.has(code) || retryAfterS !== null)) {
      this.#pauseMs = Math.max(this.#pauseMs, (retryAfterS ?? 0) * 1_000);
      return true;
    }
    throw new StreamFailed(message, { code, hint, retryAfterS });
  }

  // --- connecting again

  async #pause() {
    const lostForMs = performance.now() - this.#reachedAt;
    if (lostForMs > this.#policy.giveUpAfterS * 1_000) {
      const hint = "Is it running, and may this program reach it?";
      const message = `The server could not be reached for ${Math.round(lostForMs / 1_000)} s.`;
      throw new ServerUnreachable(message, { code: "server_unreachable", hint });
    }
    if (!this.#isLossTold) this.#queue.push({ type: "reconnecting" });
    this.#isLossTold = true;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#pauseMs);
      this.#lose = () => resolve(clearTimeout(timer));
    });
    this.#pauseMs = Math.min(2 * this.#pauseMs, Math.max(LONGEST_PAUSE_MS, this.#pauseMs));
  }

  #finish(error) {
    this.#isOver = true;
    this.#queue.finish(error);
    this.#lose();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function blockOf(file, from) {
  try {
    return await file.slice(from, from + BLOCK_BYTES).arrayBuffer();
  } catch (cause) {
    throw new StreamFailed("The file cannot be read.", { code: "file_unreadable", cause });
  }
}

/** Asks a silent connection whether it is alive: the death of a network, unlike that of a server, is not told to a socket. */
function watched(socket, lose) {
  let heardAt = performance.now();
  const timer = setInterval(() => {
    const silentMs = performance.now() - heardAt;
    if (silentMs >= (socket.bufferedAmount ? STUCK_MS : DEAD_MS)) lose();
    else if (silentMs >= PING_MS && socket.readyState === 1) socket.send('{"type": "ping"}');
  }, PING_MS);
  return { heard: () => (heardAt = performance.now()), stop: () => clearInterval(timer) };
}

/** Puts server-sent events together (WHATWG HTML §9.2.6), however they were cut on their way. */
export class EventReader {
  #text = ""; // of a line that is not over
  #name = "";
  #data = [];
  #dataCharacters = 0;

  /**
   * @param {string} text A piece of the stream.
   * @returns {Generator<{name: string, data: string}>} The events that end in it.
   */
  *feed(text) {
    this.#text += text;
    if (this.#text.length + this.#dataCharacters > MAX_EVENT_CHARACTERS) {
      throw new StreamFailed("An event is too long.", { code: "malformed_message" });
    }
    const heldBack = this.#text.endsWith("\r") ? "\r" : ""; // its \n may be yet to come
    const lines = this.#text.slice(0, this.#text.length - heldBack.length).split(/\r\n|\r|\n/);
    this.#text = lines.pop() + heldBack;
    for (const line of lines) {
      if (line) this.#take(line);
      else yield* this.#finish();
    }
  }

  #take(line) {
    const [, field, value = ""] = /^([^:]*)(?:: ?([^]*))?$/.exec(line);
    if (field === "event") this.#name = value;
    if (field !== "data") return; // a comment; ids and pauses are of no use here
    this.#data.push(value);
    this.#dataCharacters += value.length;
  }

  *#finish() {
    const event = { name: this.#name || "message", data: this.#data.join("\n") };
    if (this.#data.length) yield event;
    this.#name = "";
    this.#data = [];
    this.#dataCharacters = 0;
  }
}

/**
 * Which utterances have had their final, or their failure. A server tells outcomes in order, but those that it missed later, when
 * they are stored; and those without text it may never tell.
 */
class ToldOutcomes {
  contiguous = 0; // every utterance before this one is told
  #ahead = new Set();

  has(utterance) {
    return utterance < this.contiguous || this.#ahead.has(utterance);
  }

  add(utterance) {
    this.#ahead.add(utterance);
    if (this.#ahead.size > MAX_AHEAD) this.contiguous = Math.min(...this.#ahead);
    while (this.#ahead.delete(this.contiguous)) this.contiguous++;
  }
}

/** One follower of one session; `events` is what `AsrClient.follow` gives. */
class Following {
  #url;
  #headers;
  #giveUpAfterMs;
  #signal;
  #told = new ToldOutcomes();
  #pauseMs = FIRST_PAUSE_MS;
  #reachedAt = performance.now();
  #loss = null; // why the last connection is gone: a ClientError
  #isLossTold = false;
  #isOver = false; // the session, by what was told of it last; its stored finals may still come
  #isComplete = false;

  constructor(url, headers, giveUpAfterS, signal) {
    this.#url = url;
    this.#headers = headers;
    this.#giveUpAfterMs = giveUpAfterS * 1_000;
    this.#signal = signal;
  }

  async *events() {
    while (!this.#signal?.aborted) {
      yield* this.#eventsOfAConnection();
      if (this.#isComplete || this.#signal?.aborted) return;
      this.#checkPatience();
      if (!this.#isLossTold) {
        this.#isLossTold = true;
        yield { type: "reconnecting", reason: this.#loss.message };
      }
      await abortablePause(Math.max(this.#pauseMs, (this.#loss.retryAfterS ?? 0) * 1_000), this.#signal);
      this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
    }
  }

  async *#eventsOfAConnection() {
    this.#loss = new ServerUnreachable("The server has closed the connection.", { code: "server_unreachable" });
    const connection = new AbortController();
    const abort = () => connection.abort();
    this.#signal?.addEventListener("abort", abort);
    try {
      const request = { headers: this.#greeting(), signal: connection.signal };
      const answer = await this.#attempt(() => fetch(this.#url, request), abort);
      if (answer && (await this.#isWelcome(answer, abort))) yield* this.#conversation(answer, abort);
    } finally {
      this.#signal?.removeEventListener("abort", abort);
      abort();
    }
  }

  #greeting() {
    const known = this.#told.contiguous ? { "Last-Event-ID": String(this.#told.contiguous - 1) } : {};
    return { ...this.#headers, Accept: "text/event-stream", ...known };
  }

  /** What the network gives, which is given up after too long a silence; `undefined`: the connection is lost. */
  async #attempt(read, abort) {
    const timer = setTimeout(abort, SILENCE_MS);
    try {
      return await read();
    } catch (cause) {
      this.#loss = new ServerUnreachable("The connection is lost.", { code: "server_unreachable", cause });
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  async #isWelcome(answer, abort) {
    if (answer.ok && answer.headers.get("Content-Type")?.startsWith("text/event-stream")) return true;
    if (answer.ok) throw new StreamFailed("The answer is no stream of events.", { code: "malformed_message" });
    const text = await this.#attempt(() => answer.text(), abort);
    if (text === undefined) return false;
    this.#loss = refusal({ status: answer.status, text, retryAfter: answer.headers.get("Retry-After") });
    if (!PASSING_REFUSALS.has(answer.status)) throw this.#loss;
    return false;
  }

  async *#conversation(answer, abort) {
    const [body, decoder, reader] = [answer.body.getReader(), new TextDecoder(), new EventReader()];
    let failed = false;
    for (;;) {
      const read = await this.#attempt(() => body.read(), abort);
      this.#reachedAt = performance.now(); // whoever hears nothing new is not out of reach
      if (read?.done) this.#isComplete = this.#isOver && !failed; // a connection that is cut off fails instead
      if (!read || read.done) return;
      for (const { name, data } of reader.feed(decoder.decode(read.value, { stream: true }))) {
        failed = name === "error";
        const event = this.#hear(name, JSON.parse(data));
        if (event) yield event;
      }
    }
  }

  /** The event, if it is new; an `error` is the last one, and says why the connection ends. */
  #hear(name, message) {
    if (name === "error") {
      this.#loss = new StreamFailed(message.detail, { code: message.code, hint: message.hint });
      if (!PASSING_FAILURES.has(message.status)) throw this.#loss;
    } else if (name === "session") {
      this.#isLossTold = false;
      this.#isOver = ["closed", "interrupted"].includes(message.status) && message.resumable_until === null;
      return { type: "session", ...message };
    } else if (FOLLOWED.has(name) && !this.#told.has(message.utterance)) {
      this.#pauseMs = FIRST_PAUSE_MS;
      if (name === "final" || name === "failed") this.#told.add(message.utterance);
      return message;
    }
    return undefined;
  }

  #checkPatience() {
    const lostForMs = performance.now() - this.#reachedAt;
    if (lostForMs <= this.#giveUpAfterMs) return;
    if (this.#loss instanceof RequestRefused) throw this.#loss; // a server is there, and says when to come again
    const hint = "Is it running, and may this program reach it?";
    const message = `The server could not be reached for ${Math.round(lostForMs / 1_000)} s.`;
    throw new ServerUnreachable(message, { code: "server_unreachable", hint, cause: this.#loss });
  }
}

function abortablePause(ms, signal) {
  return new Promise((resolve) => {
    const end = () => resolve(clearTimeout(timer), signal?.removeEventListener("abort", end));
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}

/** Talks to one server. */
export class AsrClient {
  #http;
  #apiKey;
  #WebSocket;
  #sendsHeaders;
  #policy;

  /**
   * @param {string | URL} url The server's address, `http` or `https`.
   * @param {object} [options]
   * @param {string} [options.apiKey] Sent as a bearer token; in browsers not with streams.
   * @param {typeof globalThis.WebSocket} [options.WebSocket] For Node before 22, the class of the package `ws`.
   * @param {number} [options.giveUpAfterS] So long a stream, or a follower, tries to reach a server before `ServerUnreachable`.
   * @param {number} [options.maxKeptS] Audio that is kept to be sent again; left out: two minutes, and at least 16 MiB.
   */
  constructor(url, { apiKey, WebSocket = globalThis.WebSocket, giveUpAfterS = 60, maxKeptS } = {}) {
    const address = new URL(url);
    address.protocol = address.protocol.replace(/^ws/, "http");
    if (!/^https?:$/.test(address.protocol)) throw new TypeError(`${url} is no address of a server.`);
    this.#http = address.origin + address.pathname.replace(/\/$/, "");
    this.#apiKey = apiKey;
    this.#WebSocket = WebSocket;
    this.#sendsHeaders = WebSocket !== globalThis.WebSocket || Boolean(globalThis.process?.versions?.node);
    this.#policy = { giveUpAfterS, maxKeptS };
  }

  /**
   * A new session, which begins at once.
   * @param {object} [options] Fields of the protocol's `start` message, for example `{language: "zh", audio: {sample_rate: 48000}}`.
   * @returns {AsrStream}
   */
  stream(options = {}) {
    if (!this.#WebSocket) throw new TypeError("There is no WebSocket here: pass one in.");
    const url = this.#http.replace(/^http/, "ws") + STREAM_PATH;
    const headers = this.#headers();
    if (headers && !this.#sendsHeaders) {
      const hint = "Leave the key out, and let a proxy in front of the server add it.";
      throw new ClientError("A browser sends no key with a WebSocket.", { code: "api_key_not_sendable", hint });
    }
    return new AsrStream(() => new this.#WebSocket(url, ...(headers ? [{ headers }] : [])), options, this.#policy);
  }

  /**
   * What is said in a session that is somebody else's, on whichever server: from its first final on, until it is over.
   *
   * `{type: "session", …}` is the session as `GET /api/v1/sessions/{id}` has it: first, after each loss, which `reconnecting` tells,
   * and when its status has changed. Between are `speech_started`, `partial`, `speech_ended`, `final` and `failed` of the protocol, each
   * outcome of an utterance once. A loop that is left follows no more.
   * @param {string} sessionId Known a moment after its `started`.
   * @param {{signal?: AbortSignal}} [options] Ends the iteration.
   * @returns {AsyncGenerator<object>}
   * @throws {RequestRefused | ServerUnreachable | StreamFailed} While it is iterated.
   */
  follow(sessionId, { signal } = {}) {
    const url = `${this.#http}${SESSIONS_PATH}/${encodeURIComponent(sessionId)}/events`;
    return new Following(url, this.#headers() ?? {}, this.#policy.giveUpAfterS, signal).events();
  }

  /**
   * Ends a live session for good, on whichever server it is; its finals stay.
   * @param {string} sessionId
   * @returns {Promise<object>} What is known of it now; its status will be `closed` soon.
   * @throws {RequestRefused | ServerUnreachable}
   */
  async cancel(sessionId) {
    const url = `${this.#http}${SESSIONS_PATH}/${encodeURIComponent(sessionId)}/cancel`;
    let answer, text;
    try {
      answer = await fetch(url, { method: "POST", headers: this.#headers() ?? {} });
      text = await answer.text();
    } catch (cause) {
      throw new ServerUnreachable("The server does not answer.", { code: "server_unreachable", cause });
    }
    if (!answer.ok) throw refusal({ status: answer.status, text, retryAfter: answer.headers.get("Retry-After") });
    return JSON.parse(text);
  }

  /**
   * Transcribes a file.
   * @param {Blob} file Of any common container; a `File` in browsers, `await fs.openAsBlob(path)` in Node.
   * @param {object} [options] `onProgress(sentBytes, wholeBytes)`, and further fields of the form, for example `language`.
   * @returns {Promise<object>} OpenAI's `verbose_json`.
   * @throws {RequestRefused | ServerUnreachable}
   */
  async transcribe(file, { onProgress = () => {}, ...fields } = {}) {
    const form = new FormData();
    const wanted = { model: "whisper-1", response_format: "verbose_json", ...fields };
    for (const [name, value] of Object.entries(wanted)) form.append(name, value);
    form.append("file", file, file.name ?? "audio");
    const post = globalThis.XMLHttpRequest ? postByXmlHttpRequest : postByFetch;
    const progress = (bytes) => onProgress(Math.min(bytes, file.size), file.size); // the form is a little longer
    let answer;
    try {
      answer = await post(this.#http + TRANSCRIPTIONS_PATH, this.#headers() ?? {}, form, progress);
    } catch (cause) {
      throw new ServerUnreachable("The server does not answer.", { code: "server_unreachable", cause });
    }
    if (answer.status >= 400) throw refusal(answer);
    return JSON.parse(answer.text);
  }

  #headers() {
    return this.#apiKey ? { Authorization: `Bearer ${this.#apiKey}` } : null;
  }
}

function postByXmlHttpRequest(url, headers, form, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => progress(loaded);
    request.onerror = () => reject(new TypeError("The request failed."));
    request.onload = () =>
      resolve({ status: request.status, text: request.responseText, retryAfter: request.getResponseHeader("Retry-After") });
    request.send(form);
  });
}

async function postByFetch(url, headers, form, progress) {
  const encoded = new Response(form);
  let sentBytes = 0;
  const counter = new TransformStream({
    transform: (block, controller) => {
      controller.enqueue(block);
      progress((sentBytes += block.byteLength));
    },
  });
  const answer = await fetch(url, {
    method: "POST",
    headers: { ...headers, "Content-Type": encoded.headers.get("Content-Type") },
    body: encoded.body.pipeThrough(counter),
    duplex: "half",
  });
  return { status: answer.status, text: await answer.text(), retryAfter: answer.headers.get("Retry-After") };
}

/** What an answer refuses: problem details, or under `/v1` OpenAI's error. */
function refusal({ status, text, retryAfter }) {
  const retryAfterS = retryAfter ? Number(retryAfter) : null;
  try {
    const body = JSON.parse(text);
    const { message, code, type } = body.error ?? { message: body.detail, code: body.code };
    if (!message || !(code ?? type)) throw new TypeError("no error of this service");
    return new RequestRefused(message, { code: code ?? type, hint: body.hint ?? null, retryAfterS });
  } catch {
    return new RequestRefused(`The server answered with status ${status}.`, { code: "refused", retryAfterS });
  }
}
