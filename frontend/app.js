// The page: microphone or file in, text out.

import { Microphone } from "./microphone.js";
import { Stream } from "./stream.js";
import { otherLanguageName, switchLanguage, text, translatePage } from "./texts.js";
import { Transcript } from "./transcript.js";

const element = (id) => document.getElementById(id);
const SILENT_DBFS = -60;
const LOUD_DBFS = -3;
const MICROPHONE_PROBLEMS = { NotAllowedError: "microphoneDenied", NotFoundError: "microphoneMissing" };

const transcript = new Transcript();
let asking = false; // for the microphone
let microphone = null; // while it is open
let busy = null; // the stream in progress
let reading = false; // it is a file's
// Functions, so that switching the language translates what is on the page.
let status = () => "";
let problem = () => "";

function isBusy() {
  return asking || busy !== null || microphone !== null;
}

function show() {
  const stoppable = microphone !== null || reading;
  element("microphone").textContent = text(microphone ? "stop" : reading ? "cancel" : "start");
  element("microphone").setAttribute("aria-pressed", String(stoppable));
  element("microphone").disabled = asking || (busy !== null && !stoppable);
  element("file").disabled = element("language").disabled = isBusy();
  element("level").hidden = microphone === null;
  element("progress").hidden = busy === null || microphone !== null;
  element("interface-language").textContent = otherLanguageName();
  element("status").textContent = status() || (busy || problem() ? "" : text("ready"));
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
  let explained = false;
  const stream = new Stream(
    { language: element("language").value, audio },
    {
      partial: (message) => transcript.showPartial(message),
      final: (message) => transcript.addFinal(message),
      failed: (message) => complain(() => message.message),
      error: (message) => {
        explained ||= message.fatal;
        complain(() => [message.message, message.hint].filter(Boolean).join(" "));
      },
      ended: (message) => {
        transcript.endSession(message.received_ms);
        say("done", message.received_ms / 1000);
      },
      closed: (wasOpened, wasEnded) => {
        busy = null;
        reading = false;
        if (!wasEnded) {
          transcript.endSession();
          say("");
          if (!explained && !stream.isCancelled) complain(() => text(wasOpened ? "lost" : "unreachable"));
        }
        void stopListening();
        show();
      },
    },
  );
  busy = stream;
  show();
  return stream;
}

async function startListening() {
  if (!navigator.mediaDevices) return complain(() => text("insecure"));
  asking = true;
  say("connecting");
  const waiting = []; // what is said while the connection is made
  let stream = null;
  try {
    microphone = await Microphone.open(
      (pcm) => (stream ? stream.sendAudio(pcm.buffer) : waiting.push(pcm.buffer)),
      showLevel,
      () => microphone && void finishListening(),
    );
  } catch (error) {
    asking = false;
    say("");
    return complain(() => text(MICROPHONE_PROBLEMS[error.name] ?? "microphoneBroken"));
  }
  asking = false;
  const opening = open({ encoding: "pcm_s16le", sample_rate: microphone.sampleRate, channels: 1 });
  if (!(await opening.opened)) return;
  stream = opening;
  for (const packet of waiting.splice(0)) stream.sendAudio(packet);
  if (microphone) say("listening");
  else stream.end(); // stopped in the meantime
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

async function readFile(file) {
  if (!file || isBusy()) return;
  reading = true;
  say("sending", file.name);
  const stream = open({ encoding: "container" });
  if (!(await stream.opened)) return;
  try {
    await stream.sendFile(file);
    stream.end();
  } catch {
    stream.cancel(); // the browser may not read it, or it is gone
    complain(() => text("fileBroken", file.name));
  }
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
  return reading ? busy.cancel() : startListening();
};
element("file").onchange = ({ target }) => void readFile(target.files[0]).then(() => (target.value = ""));
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
  void readFile(event.dataTransfer.files[0]);
};

translatePage();
show();
