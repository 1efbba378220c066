// Runs on the audio thread: gathers 128-frame blocks into packets of 16-bit PCM.

const PACKET_S = 0.1;

class Packets extends AudioWorkletProcessor {
  constructor() {
    super();
    this.pcm = new Int16Array(Math.round(sampleRate * PACKET_S));
    this.length = 0;
    this.energy = 0;
    this.port.onmessage = () => this.send(true);
  }

  process([channels]) {
    const samples = channels[0] ?? []; // a muted input has no channels
    for (const sample of samples) {
      const clipped = Math.max(-1, Math.min(1, sample));
      this.pcm[this.length++] = Math.round(clipped * 32767);
      this.energy += clipped * clipped;
      if (this.length === this.pcm.length) this.send(false);
    }
    return true;
  }

  send(last) {
    const level = 10 * Math.log10(this.energy / Math.max(1, this.length) + 1e-9);
    this.port.postMessage({ pcm: this.pcm.slice(0, this.length), level, last });
    this.length = 0;
    this.energy = 0;
  }
}

registerProcessor("packets", Packets);
