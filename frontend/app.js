// The page: microphone or file in, text out.

import { AsrClient } from "./asr-client.js";
import { Microphone } from "./microphone.js";
import { otherLanguageName, switchLanguage, text, translatePage } from "./texts.js";
import { Transcript } from "./transcript.js";

const element = (id) => document.getElementById(id);
const SILENT_DBFS = -60;
const LOUD_DBFS = -3;
const MICROPHONE_PROBLEMS = { NotAllowedError: "microphoneDenied", NotFoundError: "microphoneMissing" };

const client = new AsrClient(new URL(".", document.baseURI));
const transcript = new Transcript();
let asking = false; // for the microphone
let microphone = null; // while it is open
let busy = null; // the stream in progress
let reading = null; // the file, if it is a file's
let away = ""; // why there is no connection, while there is none: the name of a text
// Functions, so that switching the language translates what is on the page.
let status = () => "";
let problem = () => "";

function isBusy() {
  return asking || busy !== null || microphone !== null;
}

function show() {
  const stoppable = microphone !== null || reading !== null || away !== "";
  element("microphone").textContent = text(microphone ? "stop" : stoppable ? "cancel" : "start");
  element("microphone").setAttribute("aria-pressed", String(stoppable));
  element("microphone").disabled = asking || (busy !== null && !stoppable);
  element("file").disabled = element("language").disabled = isBusy();
  element("level").hidden = microphone === null;
  element("progress").hidden = busy === null || microphone !== null;
  element("interface-language").textContent = otherLanguageName();
  element("status").textContent = away ? text(away) : status() || (busy || problem() ? "" : text("ready"));
  element("status").toggleAttribute("data-away", away !== "");
  element("problem").textContent = problem();
  element("problem").hidden = !problem();
}

function say(name, ...values) {
  status = () => (name ? text(name, ...values) : "");
  show();
}

function complain(message) {
  problem = message;
  show();
}

function open(audio) {
  complain(() => "");
  transcript.beginSession();
  const stream = client.stream({ language: element("language").value, audio });
  busy = stream;
  void follow(stream);
  show();
  return stream;
}

// What a stream tells, until it is over.
async function follow(stream) {
  let isKnown = false; // the server has answered
  let receivedMs;
  try {
    for await (const event of stream) {
      if (event.type === "reconnecting") away = isKnown ? "reconnecting" : "connecting";
      if (event.type === "started" || event.type === "resumed") away = "";
      if (event.type === "ended") receivedMs = event.received_ms;
      isKnown ||= event.type === "started";
      hear(event);
      show();
    }
    say(receivedMs === undefined ? "" : "done", receivedMs / 1000);
  } catch (error) {
    say("");
    complain(explanation(error, isKnown, reading));
  } finally {
    busy = reading = null;
    away = "";
    transcript.endSession(receivedMs);
    await stopListening();
    show();
  }
}

function hear(event) {
  if (event.type === "started" && microphone) say("listening");
  else if (event.type === "partial") transcript.showPartial(event);
  else if (event.type === "final") transcript.addFinal(event);
  else if (event.type === "failed") complain(() => event.message);
  else if (event.type === "reconnecting") transcript.dropPartial();
}

function explanation({ code, message, hint }, isKnown, file) {
  if (code === "file_unreadable") return () => text("fileBroken", file.name);
  if (code === "server_unreachable") return () => text(isKnown ? "lost" : "unreachable");
  if (code === "session_not_resumable" || code === "replay_lost") return () => text("lost");
  return () => [message, hint].filter(Boolean).join(" ");
}

async function startListening() {
  if (!navigator.mediaDevices) return complain(() => text("insecure"));
  asking = true;
  say("connecting");
  let stream = null;
  try {
    microphone = await Microphone.open((pcm) => stream.send(pcm), showLevel, () => microphone && void finishListening());
  } catch (error) {
    asking = false;
    say("");
    return complain(() => text(MICROPHONE_PROBLEMS[error.name] ?? "microphoneBroken"));
  }
  asking = false;
  stream = open({ sample_rate: microphone.sampleRate });
}

function showLevel(level) {
  const share = 1 - Math.min(0, Math.max(SILENT_DBFS, level)) / SILENT_DBFS;
  element("level").firstElementChild.style.transform = `scaleX(${share})`;
  element("level").toggleAttribute("data-loud", level > LOUD_DBFS);
}

async function stopListening() {
  const closing = microphone;
  microphone = null;
  showLevel(SILENT_DBFS);
  if (closing) await closing.close();
}

async function finishListening() {
  const stream = busy;
  await stopListening();
  stream?.end();
  if (busy) say("finishing");
}

function readFile(file) {
  if (!file || isBusy()) return;
  reading = file;
  say("sending", file.name);
  const stream = open({ encoding: "container" });
  stream.send(file);
  stream.end();
}

async function copy() {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(transcript.asText());
  } else {
    const area = document.body.appendChild(document.createElement("textarea")); // a page without https has no other way
    area.value = transcript.asText();
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say("copied");
}

function download(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

element("microphone").onclick = () => {
  if (microphone) return finishListening();
  return busy ? busy.close() : startListening();
};
element("file").onchange = ({ target }) => {
  readFile(target.files[0]);
  target.value = ""; // so that the same file can be chosen again
};
element("copy").onclick = copy;
element("download-text").onclick = () => download("transcript.txt", "text/plain", `${transcript.asText()}\n`);
element("download-subtitles").onclick = () => download("transcript.srt", "application/x-subrip", transcript.asSubtitles());
element("clear").onclick = () => {
  transcript.clear();
  if (!busy) say("");
};
element("interface-language").onclick = () => {
  switchLanguage();
  show();
};

document.ondragover = (event) => {
  event.preventDefault();
  element("drop").hidden = isBusy();
};
document.ondragleave = (event) => {
  if (!event.relatedTarget) element("drop").hidden = true;
};
document.ondrop = (event) => {
  event.preventDefault();
  element("drop").hidden = true;
  readFile(event.dataTransfer.files[0]);
};

translatePage();
show();
