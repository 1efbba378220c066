// The microphone as packets of 16-bit PCM at the browser's own rate; the server resamples.

export class Microphone {
  // `onPacket(Int16Array)` is called about ten times a second, `onLevel(dBFS)` as often.
  static async open(onPacket, onLevel) {
    const media = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true },
    });
    const context = new AudioContext();
    await context.audioWorklet.addModule(new URL("packets-worklet.js", import.meta.url));
    const packets = new AudioWorkletNode(context, "packets", { numberOfOutputs: 0 });
    packets.port.onmessage = ({ data }) => {
      onPacket(data.pcm);
      onLevel(data.level);
    };
    context.createMediaStreamSource(media).connect(packets);
    return new Microphone(media, context, packets);
  }

  constructor(media, context, packets) {
    this.media = media;
    this.context = context;
    this.packets = packets;
    this.sampleRate = context.sampleRate;
  }

  // Resolves when the last packet has been handed over.
  async close() {
    const flushed = new Promise((resolve) => {
      const take = this.packets.port.onmessage;
      this.packets.port.onmessage = (message) => {
        take(message);
        if (message.data.last) resolve();
      };
    });
    this.packets.port.postMessage("flush");
    await flushed;
    for (const track of this.media.getTracks()) track.stop();
    await this.context.close();
  }
}
