// One session of the native protocol (docs/api/native-protocol.md).

const CHUNK_BYTES = 64 * 1024;
const MAX_BUFFERED_BYTES = 1024 * 1024; // what may wait in the browser before more of a file is read

export class Stream {
  // `on` has a function for each type of message that the server sends, and `closed(wasOpened, wasEnded)`.
  constructor(start, on) {
    const address = new URL("api/v1/stream", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    this.isCancelled = false;
    let wasOpened = false;
    let wasEnded = false;
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    // Becomes whether the server took the connection; `closed` follows if it did not.
    this.opened = new Promise((resolve) => {
      this.socket.onopen = () => {
        wasOpened = true;
        this.socket.send(JSON.stringify({ type: "start", ...start }));
        resolve(true);
      };
      this.socket.onclose = () => {
        on.closed(wasOpened, wasEnded);
        resolve(false);
      };
    });
    this.socket.onmessage = (frame) => {
      const message = JSON.parse(frame.data);
      if (message.type === "ended") wasEnded = true;
      on[message.type]?.(message);
    };
  }

  get isOpen() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  sendAudio(data) {
    if (this.isOpen) this.socket.send(data);
  }

  async sendFile(file) {
    for (let start = 0; start < file.size && this.isOpen; start += CHUNK_BYTES) {
      while (this.socket.bufferedAmount > MAX_BUFFERED_BYTES) await new Promise((resolve) => setTimeout(resolve, 20));
      this.sendAudio(await file.slice(start, start + CHUNK_BYTES).arrayBuffer());
    }
  }

  // No more audio; what is owed still comes.
  end() {
    if (this.isOpen) this.socket.send('{"type": "end"}');
  }

  // Nothing more is wanted.
  cancel() {
    this.isCancelled = true;
    this.socket.close(1000);
  }
}
