// The microphone as packets of 16-bit PCM at the browser's own rate; the server resamples.

export class Microphone {
  // `onPacket(Int16Array)` is called about ten times a second, `onLevel(dBFS)` as often, `onLost()` if it is unplugged.
  static async open(onPacket, onLevel, onLost) {
    const media = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true },
    });
    const context = new AudioContext();
    const microphone = new Microphone(media, context);
    try {
      await context.audioWorklet.addModule(new URL("packets-worklet.js", import.meta.url));
    } catch (error) {
      microphone.release();
      throw error;
    }
    microphone.listen(onPacket, onLevel, onLost);
    return microphone;
  }

  constructor(media, context) {
    this.media = media;
    this.context = context;
    this.sampleRate = context.sampleRate;
  }

  listen(onPacket, onLevel, onLost) {
    this.packets = new AudioWorkletNode(this.context, "packets", { numberOfOutputs: 0 });
    this.packets.port.onmessage = ({ data }) => {
      onPacket(data.pcm);
      onLevel(data.level);
      if (data.last) this.flushed();
    };
    this.context.createMediaStreamSource(this.media).connect(this.packets);
    this.media.getAudioTracks()[0].onended = onLost;
    void this.context.resume(); // some browsers let it sleep if the permission was given late
  }

  // Resolves when the last packet has been handed over.
  async close() {
    const flushed = new Promise((resolve) => (this.flushed = resolve));
    this.packets.port.postMessage("flush");
    await flushed;
    await this.release();
  }

  async release() {
    for (const track of this.media.getTracks()) track.stop();
    await this.context.close();
  }
}
