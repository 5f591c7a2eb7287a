// Sounds that the page makes, hears or measures: what is said into a call, ringing, keys, levels.
// It must not know calls or the server.

let shared = null;

// One for the page. A browser lets it run only once somebody has clicked or pressed a key.
function context() {
  shared ??= new AudioContext();
  if (shared.state === "suspended") shared.resume();
  return shared;
}

// What is said into a call: {track, close()}. `kind` is microphone, tone or silence. Throws, in words, where there is
// no microphone to be had.
export async function openVoice(kind) {
  if (kind === "microphone") {
    const stream = await microphone();
    return { track: stream.getAudioTracks()[0], close: () => stream.getTracks().forEach((track) => track.stop()) };
  }
  const output = context().createMediaStreamDestination();
  const gain = new GainNode(context(), { gain: kind === "tone" ? 0.25 : 0 });
  const tone = new OscillatorNode(context(), { frequency: 440 });
  tone.connect(gain).connect(output);
  tone.start();
  return { track: output.stream.getAudioTracks()[0], close: () => tone.stop() };
}

async function microphone() {
  // Browsers hide the whole interface from pages that came another way.
  if (!navigator.mediaDevices) {
    throw new Error(
      "Browsers lend the microphone only to pages that came by https or from this very machine. Open this page at the " +
        "server's https address, or at http://localhost.",
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    throw new Error(NO_MICROPHONE[error.name] ?? `The microphone cannot be used: ${error.message}`);
  }
}

const NO_MICROPHONE = {
  NotAllowedError: "The microphone was refused to this page. You can allow it beside the page's address.",
  NotFoundError: "This machine has no microphone.",
  NotReadableError: "The microphone cannot be used: another program may hold it.",
};

// How loud a track is: a function that gives 0 (-60 dBFS or less) to 1 (full scale), and forgets the track at close().
export function levelOf(track) {
  const analyser = new AnalyserNode(context(), { fftSize: 1024 });
  const source = context().createMediaStreamSource(new MediaStream([track]));
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const level = () => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    return Math.min(1, Math.max(0, 1 + (10 * Math.log10(power + 1e-9)) / 60));
  };
  return { level, close: () => source.disconnect() };
}

// Rings until the function that it gives is called. `tones`: seconds and hertz, again and again.
function repeat(seconds, tones, loudness) {
  const rate = context().sampleRate;
  const buffer = new AudioBuffer({ length: seconds * rate, sampleRate: rate });
  const samples = buffer.getChannelData(0);
  for (const { from, to, hertz } of tones) {
    for (let index = Math.floor(from * rate); index < to * rate; index += 1) {
      // A short rise and fall, so that nothing clicks.
      const edge = Math.min(1, (index / rate - from) / 0.02, (to - index / rate) / 0.02);
      for (const pitch of hertz) {
        samples[index] += (loudness * edge * Math.sin((2 * Math.PI * pitch * index) / rate)) / hertz.length;
      }
    }
  }
  const source = new AudioBufferSourceNode(context(), { buffer, loop: true });
  source.connect(context().destination);
  source.start();
  return () => source.stop();
}

// This phone rings.
export function ring() {
  const pair = (at) => [
    { from: at, to: at + 0.18, hertz: [587] },
    { from: at + 0.18, to: at + 0.4, hertz: [784] },
  ];
  return repeat(3, [...pair(0), ...pair(0.5)], 0.2);
}

// The far end rings (ITU-T E.180: 425 Hz, a second in five).
export function ringback() {
  return repeat(5, [{ from: 0, to: 1, hertz: [425] }], 0.08);
}

const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];
export const KEYS = "123456789*0#";

// What a finger hears of a key (ITU-T Q.23). The far end is told another way.
export function key(name) {
  const at = KEYS.indexOf(name);
  const gain = new GainNode(context(), { gain: 0.06 });
  gain.connect(context().destination);
  for (const frequency of [ROWS[Math.floor(at / 3)], COLUMNS[at % 3]]) {
    const tone = new OscillatorNode(context(), { frequency });
    tone.connect(gain);
    tone.start();
    tone.stop(context().currentTime + 0.12);
  }
}

// Called from a click, so that what rings later may be heard.
export function allowSound() {
  context();
}
