/* Runs beside the sound: gathers the microphone's samples into chunks of about 40 ms and hands them over. */

class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = 128 * Math.max(1, Math.round(0.04 * sampleRate / 128));
    this.chunk = new Float32Array(this.size);
    this.filled = 0;
  }

  process(inputs) {
    const samples = inputs[0][0];
    if (!samples) return true;
    this.chunk.set(samples, this.filled);
    this.filled += samples.length;
    if (this.filled >= this.size) {
      this.port.postMessage(this.chunk, [this.chunk.buffer]);
      this.chunk = new Float32Array(this.size);
      this.filled = 0;
    }
    return true;
  }
}

registerProcessor("recorder", Recorder);
