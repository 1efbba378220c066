// The words of the page, in both languages of its users.

const TEXTS = {
  en: {
    tagline: "Speak, or drop a recording, and read along.",
    apiDocs: "API",
    controls: "Input",
    start: "Start speaking",
    stop: "Stop",
    cancel: "Cancel",
    chooseFile: "Choose a recording …",
    language: "Language",
    automatic: "Automatic",
    transcript: "Transcript",
    copy: "Copy",
    downloadText: "Save text",
    downloadSubtitles: "Save subtitles",
    clear: "Clear",
    empty: "Your words will appear here while you speak. You can also drop a recording anywhere on this page.",
    dropHere: "Drop the recording here",
    ready: "Ready. What you say goes to this server and nowhere else.",
    connecting: "Connecting …",
    listening: "Listening. Speak!",
    sending: (name) => `Reading ${name} …`,
    reconnecting: "Connection lost, reconnecting … Nothing is lost.",
    finishing: "Finishing …",
    done: (seconds) => `Done: ${seconds.toFixed(1)} s of audio.`,
    copied: "Copied.",
    insecure: "The browser gives the microphone only to secure pages. Open this page by https, or on the server itself by http://127.0.0.1.",
    microphoneDenied: "The microphone is not allowed. Allow it in the browser's address bar, and try again.",
    microphoneMissing: "No microphone was found.",
    microphoneBroken: "The microphone cannot be opened. Is another program using it?",
    fileBroken: (name) => `${name} cannot be read.`,
    unreachable: "The server does not answer, or has no room now. Try again in a moment.",
    lost: "The connection was lost, and could not be made again. What is written below is safe.",
  },
  zh: {
    tagline: "开口说话，或拖入一段录音，文字随即出现。",
    apiDocs: "接口文档",
    controls: "输入",
    start: "开始说话",
    stop: "停止",
    cancel: "取消",
    chooseFile: "选择录音文件…",
    language: "语言",
    automatic: "自动识别",
    transcript: "文字",
    copy: "复制",
    downloadText: "下载文本",
    downloadSubtitles: "下载字幕",
    clear: "清空",
    empty: "说话时，文字会出现在这里。也可以把录音拖到页面任意位置。",
    dropHere: "把录音拖到这里",
    ready: "准备就绪。您的声音只发送到这台服务器，不会传到别处。",
    connecting: "正在连接…",
    listening: "正在听，请说话。",
    sending: (name) => `正在读取 ${name}…`,
    reconnecting: "连接中断，正在重新连接…内容不会丢失。",
    finishing: "正在收尾…",
    done: (seconds) => `完成：共 ${seconds.toFixed(1)} 秒音频。`,
    copied: "已复制。",
    insecure: "浏览器只允许安全页面使用麦克风。请用 https 打开本页，或在服务器本机上用 http://127.0.0.1 打开。",
    microphoneDenied: "麦克风未获授权。请在浏览器地址栏中允许，然后重试。",
    microphoneMissing: "没有找到麦克风。",
    microphoneBroken: "无法打开麦克风，可能正被其他程序占用。",
    fileBroken: (name) => `无法读取 ${name}。`,
    unreachable: "服务器没有响应，或暂时没有空位。请稍后再试。",
    lost: "连接已断开，无法恢复。下面的文字不会丢失。",
  },
};

const KEY = "interface-language";
let current = localStorage.getItem(KEY) ?? (navigator.language.startsWith("zh") ? "zh" : "en");

export function text(name, ...values) {
  const entry = TEXTS[current][name];
  return typeof entry === "function" ? entry(...values) : entry;
}

export function translatePage() {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
}

export function otherLanguageName() {
  return current === "zh" ? "English" : "中文";
}

export function switchLanguage() {
  current = current === "zh" ? "en" : "zh";
  localStorage.setItem(KEY, current);
  translatePage();
}
