// One session of the native protocol (docs/api/native-protocol.md).

const CHUNK_BYTES = 64 * 1024;
const MAX_BUFFERED_BYTES = 1024 * 1024; // what may wait in the browser before more of a file is read

export class Stream {
  // `on` has a function for each type of message that the server sends, and `closed(wasEnded)`.
  constructor(start, on) {
    const address = new URL("api/v1/stream", document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    this.ended = false;
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.opened = new Promise((resolve, reject) => {
      this.socket.onopen = () => {
        this.socket.send(JSON.stringify({ type: "start", ...start }));
        resolve();
      };
      this.socket.onerror = () => reject(new Error("unreachable"));
    });
    this.socket.onmessage = (frame) => {
      const message = JSON.parse(frame.data);
      if (message.type === "ended") this.ended = true;
      on[message.type]?.(message);
    };
    this.socket.onclose = () => on.closed(this.ended);
  }

  sendAudio(data) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(data);
  }

  async sendFile(file) {
    for (let start = 0; start < file.size && this.socket.readyState === WebSocket.OPEN; start += CHUNK_BYTES) {
      while (this.socket.bufferedAmount > MAX_BUFFERED_BYTES) await new Promise((resolve) => setTimeout(resolve, 20));
      this.sendAudio(await file.slice(start, start + CHUNK_BYTES).arrayBuffer());
    }
  }

  end() {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send('{"type": "end"}');
  }
}
