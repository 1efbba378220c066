// What has been said: shown on the page, and kept to be copied and downloaded.

const element = (id) => document.getElementById(id);
const WITHOUT_SPACES = /[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]/;
const NOTHING = { start_ms: 0, stable: "", volatile: "" };
const HOUR_MS = 3_600_000;
const NEAR_THE_END_PX = 120;

export class Transcript {
  constructor() {
    this.finals = [];
    this.offsetMs = 0; // sessions follow each other on one page: where the current one begins
    this.lengthMs = 0;
  }

  beginSession() {
    this.offsetMs = this.lengthMs;
  }

  // `receivedMs` is not known of a session that was broken off.
  endSession(receivedMs = 0) {
    const heardMs = this.finals.at(-1)?.endMs ?? 0;
    this.lengthMs = Math.max(this.lengthMs, heardMs, this.offsetMs + receivedMs);
    this.dropPartial();
  }

  dropPartial() {
    this.showPartial(NOTHING);
  }

  showPartial({ start_ms, stable, volatile }) {
    this.show(() => {
      element("partial").querySelector("time").textContent = shortClock(this.offsetMs + start_ms);
      element("stable").textContent = stable;
      element("volatile").textContent = volatile;
      element("partial").hidden = !stable && !volatile;
    });
  }

  addFinal({ text, start_ms, end_ms, language }) {
    this.dropPartial();
    if (!text) return;
    const final = { text, startMs: this.offsetMs + start_ms, endMs: this.offsetMs + end_ms };
    this.finals.push(final);
    const line = document.createElement("li");
    line.className = "line";
    const time = document.createElement("time");
    time.textContent = shortClock(final.startMs);
    const words = document.createElement("span");
    words.textContent = text;
    words.lang = language ?? "";
    line.append(time, words);
    this.show(() => element("finals").append(line));
  }

  clear() {
    this.finals = [];
    this.show(() => element("finals").replaceChildren());
  }

  // Changes the page; who reads at its end stays there, who has scrolled up is left alone.
  show(change) {
    const page = document.documentElement;
    const atEnd = page.scrollHeight - page.scrollTop - page.clientHeight < NEAR_THE_END_PX;
    change();
    element("empty").hidden = this.finals.length > 0 || !element("partial").hidden;
    for (const id of ["copy", "download-text", "download-subtitles", "clear"]) element(id).disabled = !this.finals.length;
    if (atEnd) page.scrollTop = page.scrollHeight;
  }

  asText() {
    return this.finals.reduce((joined, { text }) => {
      const glued = !joined || WITHOUT_SPACES.test(joined.at(-1)) || WITHOUT_SPACES.test(text[0]);
      return joined + (glued ? "" : " ") + text;
    }, "");
  }

  asSubtitles() {
    const cue = ({ text, startMs, endMs }, index) => `${index + 1}\n${clock(startMs)} --> ${clock(endMs)}\n${text}\n`;
    return this.finals.map(cue).join("\n");
  }
}

function clock(ms) {
  return new Date(ms).toISOString().slice(11, 23).replace(".", ",");
}

function shortClock(ms) {
  return clock(ms).slice(ms < HOUR_MS ? 3 : 0, 8);
}
