/* Microphone to server and answers back: what can go wrong has a name, and a lost connection is opened again. */

const PAUSES = [0.5, 1, 2, 4, 8]; // s before the next try
const BUSY = 1013; // the server has no place
const MOST_BUFFERED = 4; // chunks of the connection that wait; more sound is left out rather than late

/** States: asking, connecting, listening, reconnecting, busy, refused, missing, insecure, failed, off. */
export class Listener {
  constructor({ onState, onSound, onWindow }) {
    Object.assign(this, { onState, onSound, onWindow });
    this.active = false;
    this.tries = 0;
  }

  async start() {
    this.active = true;
    this.onState("asking");
    if (!navigator.mediaDevices?.getUserMedia) return this.giveUp("insecure");
    const plain = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    try {
      const media = await navigator.mediaDevices.getUserMedia({ audio: plain });
      if (!this.active) return media.getTracks().forEach((track) => track.stop());
      this.media = media;
      media.getAudioTracks()[0].addEventListener("ended", () => this.giveUp("missing"));
      this.context = new AudioContext();
      await this.context.audioWorklet.addModule("recorder.js");
      if (!this.active) return this.release();
      this.node = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
      this.node.port.onmessage = ({ data }) => this.take(data);
      this.context.createMediaStreamSource(this.media).connect(this.node);
      await this.context.resume();
    } catch (error) {
      const names = { NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "missing", NotReadableError: "missing" };
      return this.giveUp(names[error.name] ?? "failed");
    }
    this.connect();
  }

  stop() {
    this.active = false;
    this.release();
    this.onState("off");
  }

  giveUp(state) {
    if (!this.active) return;
    this.active = false;
    this.release();
    this.onState(state);
  }

  release() {
    clearTimeout(this.timer);
    this.socket?.close(1000);
    this.media?.getTracks().forEach((track) => track.stop());
    if (this.context?.state !== "closed") this.context?.close();
    this.socket = this.media = this.context = this.node = null;
    this.ready = false;
  }

  take(samples) {
    if (!this.context) return;
    this.onSound(samples, this.context.sampleRate);
    const waits = this.socket?.bufferedAmount ?? 0;
    if (this.ready && waits <= MOST_BUFFERED * samples.byteLength) this.socket.send(samples);
  }

  connect() {
    if (!this.active) return;
    this.onState(this.tries ? "reconnecting" : "connecting");
    const address = new URL("v1/stream", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ sample_rate: this.context.sampleRate, channels: 1 }));
    socket.onmessage = ({ data }) => {
      const answer = JSON.parse(data);
      if (answer.type === "ready") {
        this.ready = true;
        this.tries = 0;
        this.onState("listening");
      } else if (answer.type === "window") this.onWindow(answer);
    };
    socket.onclose = ({ code }) => {
      if (!this.active || this.socket !== socket) return;
      this.ready = false;
      this.onState(code === BUSY ? "busy" : "reconnecting");
      const pause = code === BUSY ? 5 : PAUSES[Math.min(this.tries, PAUSES.length - 1)];
      this.tries += 1;
      this.timer = setTimeout(() => this.connect(), 1000 * pause);
    };
  }
}
