// One call's audio: the connection to the server, what is said and heard on it, keys.
// It must not know the server's HTTP or the page: offers and answers are given to it as text.

import { levelOf, openVoice } from "./sound.js";

// Milliseconds. Long enough for every telephone (ITU-T Q.24 asks for 40), and a pause that tells one key from the next.
const KEY_LASTS = 120;
const KEY_PAUSE = 80;

// Keys that wait to be sent. A finger is not so fast.
const MOST_KEYS = 64;

export class Line {
  // No server beside ours is asked about addresses.
  #peer = new RTCPeerConnection();
  #sender;
  #voice;
  #heard = null;
  #said = null;

  // `voice` is from sound.js; `speaker` is the audio element; `lost` is called when the connection is gone.
  constructor(voice, speaker, lost) {
    this.#voice = voice;
    this.#sender = this.#peer.addTransceiver(voice.track, { direction: "sendrecv" }).sender;
    this.#said = levelOf(voice.track);
    this.#peer.ontrack = ({ track }) => {
      speaker.srcObject = new MediaStream([track]);
      this.#heard = levelOf(track);
    };
    this.#peer.onconnectionstatechange = () => {
      if (this.#peer.connectionState === "failed") lost();
    };
  }

  // What this end offers, as SDP. The server does not wait for candidates: it learns where the browser is from the
  // browser's own checks (RFC 8445 §2.5).
  async offer() {
    await this.#peer.setLocalDescription();
    return this.#peer.localDescription.sdp;
  }

  async accept(sdp) {
    await this.#peer.setRemoteDescription({ type: "answer", sdp });
  }

  // Says something else from now on.
  async speakWith(kind) {
    const voice = await openVoice(kind);
    voice.track.enabled = this.#voice.track.enabled;
    try {
      await this.#sender.replaceTrack(voice.track);
    } catch (error) {
      // The call ended while the microphone was asked for, which nobody holds then.
      voice.close();
      throw error;
    }
    this.#said.close();
    this.#voice.close();
    this.#voice = voice;
    this.#said = levelOf(voice.track);
  }

  // What is said is silence while it is muted; keys go through.
  set muted(muted) {
    this.#voice.track.enabled = !muted;
  }

  // Sends a key as an event (RFC 4733), after those that are being sent. False: this call takes none.
  press(key) {
    const keys = this.#sender.dtmf;
    if (!keys?.canInsertDTMF || keys.toneBuffer.length >= MOST_KEYS) return false;
    keys.insertDTMF(keys.toneBuffer + key, KEY_LASTS, KEY_PAUSE);
    return true;
  }

  // Loudness from 0 to 1, of both ends.
  levels() {
    return { them: this.#heard?.level() ?? 0, you: this.#said.level() };
  }

  close() {
    this.#peer.close();
    this.#heard?.close();
    this.#said.close();
    this.#voice.close();
  }
}
