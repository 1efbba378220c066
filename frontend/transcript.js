// What has been said: shown on the page, and kept to be copied and downloaded.

const element = (id) => document.getElementById(id);
const WITHOUT_SPACES = /[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]/;

export class Transcript {
  constructor() {
    this.finals = [];
    this.offsetMs = 0; // sessions follow each other on one page: where the current one begins
    this.lengthMs = 0;
  }

  beginSession() {
    this.offsetMs = this.lengthMs;
  }

  endSession(receivedMs) {
    this.lengthMs = this.offsetMs + receivedMs;
    this.showPartial({ stable: "", volatile: "" });
  }

  showPartial({ stable, volatile }) {
    element("stable").textContent = stable;
    element("volatile").textContent = volatile;
    element("partial").hidden = !stable && !volatile;
    this.showWhetherEmpty();
  }

  addFinal({ text, start_ms, end_ms, language }) {
    this.showPartial({ stable: "", volatile: "" });
    if (!text) return;
    const final = { text, startMs: this.offsetMs + start_ms, endMs: this.offsetMs + end_ms };
    this.finals.push(final);
    const line = document.createElement("li");
    const time = document.createElement("time");
    time.textContent = clock(final.startMs).slice(3, 8);
    const words = document.createElement("span");
    words.textContent = text;
    words.lang = language ?? "";
    line.append(time, words);
    element("finals").append(line);
    line.scrollIntoView({ block: "nearest" });
    this.showWhetherEmpty();
  }

  clear() {
    this.finals = [];
    element("finals").replaceChildren();
    this.showPartial({ stable: "", volatile: "" });
  }

  showWhetherEmpty() {
    element("empty").hidden = this.finals.length > 0 || !element("partial").hidden;
    for (const id of ["copy", "download-text", "download-subtitles", "clear"]) element(id).disabled = !this.finals.length;
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
