// The page: microphone or file in, text out.

import { Microphone } from "./microphone.js";
import { Stream } from "./stream.js";
import { otherLanguageName, switchLanguage, text, translatePage } from "./texts.js";
import { Transcript } from "./transcript.js";

const element = (id) => document.getElementById(id);
const SILENT_DBFS = -60;

const transcript = new Transcript();
let busy = null; // the stream in progress
let microphone = null;
let status = () => ""; // a function, so that switching the language translates what is on the page

function show() {
  const pressed = microphone !== null;
  element("microphone").textContent = text(pressed ? "stop" : "start");
  element("microphone").setAttribute("aria-pressed", String(pressed));
  element("microphone").disabled = busy !== null && !pressed;
  element("file").disabled = element("language").disabled = busy !== null;
  element("interface-language").textContent = otherLanguageName();
  element("status").textContent = status();
}

function say(name, ...values) {
  status = () => text(name, ...values);
  show();
}

function complain(message) {
  element("problem").textContent = message;
  element("problem").hidden = !message;
}

function open(audio) {
  complain("");
  transcript.beginSession();
  let failed = false;
  busy = new Stream(
    { language: element("language").value, audio },
    {
      partial: (message) => transcript.showPartial(message),
      final: (message) => transcript.addFinal(message),
      failed: (message) => complain(message.message),
      error: (message) => {
        failed = failed || message.fatal;
        complain([message.message, message.hint].filter(Boolean).join(" "));
      },
      ended: (message) => {
        transcript.endSession(message.received_ms);
        say("done", message.received_ms / 1000);
      },
      closed: (wasEnded) => {
        if (!wasEnded && !failed && status() !== text("connecting")) complain(text("lost"));
        void stopListening();
        busy = null;
        if (!wasEnded) status = () => "";
        show();
      },
    },
  );
  return busy;
}

async function startListening() {
  if (!navigator.mediaDevices) return complain(text("insecure"));
  say("connecting");
  const waiting = []; // what is said while the connection is made
  let stream = null;
  try {
    microphone = await Microphone.open(
      (pcm) => (stream ? stream.sendAudio(pcm.buffer) : waiting.push(pcm.buffer)),
      (level) => (element("level").value = level),
    );
    const opening = open({ encoding: "pcm_s16le", sample_rate: microphone.sampleRate, channels: 1 });
    await opening.opened;
    stream = opening;
    for (const packet of waiting.splice(0)) stream.sendAudio(packet);
    say("listening");
  } catch (error) {
    await stopListening();
    status = () => "";
    show();
    complain(text({ NotAllowedError: "microphoneDenied", NotFoundError: "microphoneMissing" }[error.name] ?? "unreachable"));
  }
}

async function stopListening() {
  const closing = microphone;
  microphone = null;
  element("level").value = SILENT_DBFS;
  if (closing) await closing.close();
}

async function toggleMicrophone() {
  if (microphone === null) return startListening();
  const stream = busy;
  await stopListening();
  stream?.end();
  if (busy) say("finishing");
}

async function readFile(file) {
  if (!file || busy) return;
  say("sending", file.name);
  const stream = open({ encoding: "container" });
  try {
    await stream.opened;
    await stream.sendFile(file);
    stream.end();
  } catch {
    complain(text("unreachable"));
  }
}

function download(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

element("microphone").onclick = toggleMicrophone;
element("file").onchange = ({ target }) => void readFile(target.files[0]).then(() => (target.value = ""));
element("copy").onclick = () => navigator.clipboard.writeText(transcript.asText()).then(() => say("copied"));
element("download-text").onclick = () => download("transcript.txt", "text/plain", `${transcript.asText()}\n`);
element("download-subtitles").onclick = () => download("transcript.srt", "application/x-subrip", transcript.asSubtitles());
element("clear").onclick = () => transcript.clear();
element("interface-language").onclick = () => {
  switchLanguage();
  show();
};

document.ondragover = (event) => {
  event.preventDefault();
  element("drop").hidden = false;
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
