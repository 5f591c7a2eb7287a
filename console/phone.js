// The phone: who is signed in, what it may call, and the one call it may be in. `changed` is called after every change,
// and whoever shows the phone reads it again.
// It must not know the page's elements.

import { Line } from "./line.js";
import { Refused, Server } from "./server.js";
import { key as keySound, openVoice, ring, ringback } from "./sound.js";

// Milliseconds between attempts to follow the server's events: doubled from the first up to the last.
const AGAIN_FIRST = 500;
const AGAIN_LAST = 8000;

// Events of legs that no answer has named yet: an answer and an event come by different ways.
const MOST_EARLY = 20;

// Where a reload finds the session again; it goes with the tab, and with a copy of the tab.
const KEPT = "ringback.session";

// Milliseconds in which another tab says that the session is its own.
const OTHERS_ANSWER = 200;

export class Phone {
  // {id, name, number}, once signed in.
  user = null;
  // Who may be chosen without a password; null: a password is asked.
  users = null;
  // {id, name, number} each.
  bots = [];
  // The server's events are followed.
  online = true;
  // {phase: "asking" | "calling" | "ringing" | "talking", who, toward, leg, since, muted}, or null. Asked for is the
  // microphone.
  call = null;
  // What went wrong last, or how the last call ended; null: nothing to say.
  note = null;
  // What is said into calls: microphone, tone or silence.
  voice = "microphone";

  #server = new Server();
  #speaker;
  #changed;
  #timeline;
  #early = new Map();
  #tabs = new BroadcastChannel(KEPT);
  #following = null;
  #telling = null;

  // `speaker` is the audio element; `timeline` has clear(), add(entry) and missed(count).
  constructor(speaker, timeline, changed) {
    this.#speaker = speaker;
    this.#timeline = timeline;
    this.#changed = changed;
  }

  // Takes up the session of before a reload, or finds out how one may sign in. A copy of a tab needs a session of its own:
  // there is one stream of events for each.
  async start() {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
    const taken = kept !== null && (await this.#isTaken(kept.token));
    this.#tabs.onmessage = ({ data }) => {
      const { token } = this.#server;
      if (token !== null && data.whose === token) this.#tabs.postMessage({ mine: token });
    };
    if (kept === null) return this.#askWho();
    if (!taken) return this.#enter(kept);
    try {
      this.#enter(await this.#server.ask("POST", "sessions", { user: kept.user.id }));
    } catch {
      sessionStorage.removeItem(KEPT);
      await this.#askWho();
    }
  }

  // Whether another tab has this session.
  #isTaken(token) {
    return new Promise((answer) => {
      this.#tabs.onmessage = ({ data }) => data.mine === token && answer(true);
      this.#tabs.postMessage({ whose: token });
      setTimeout(() => answer(false), OTHERS_ANSWER);
    });
  }

  async #askWho() {
    try {
      this.users = (await this.#server.ask("GET", "users")).value;
    } catch (error) {
      this.users = null;
      if (error.status === 0) this.note = error.message;
    }
    this.#changed();
  }

  async signIn(user, password) {
    try {
      const body = password === undefined ? { user } : { user, password };
      this.#enter(await this.#server.ask("POST", "sessions", body));
    } catch (error) {
      this.#say(error.message);
    }
  }

  #enter(session) {
    sessionStorage.setItem(KEPT, JSON.stringify(session));
    this.#server.token = session.token;
    this.user = session.user;
    this.note = null;
    this.#following = new AbortController();
    this.#follow(this.#following.signal);
    this.#changed();
  }

  async signOut(note = null) {
    if (this.call !== null) this.#end(this.call, null);
    this.#following?.abort();
    this.#telling?.abort();
    sessionStorage.removeItem(KEPT);
    // Hangs up too. Where that cannot be said, the session is over already, or will be before long.
    await this.#server.ask("DELETE", "sessions").catch(() => {});
    this.#server.token = null;
    this.user = null;
    this.bots = [];
    this.online = true;
    this.note = note;
    await this.#askWho();
  }

  async #follow(signal) {
    for (let wait = AGAIN_FIRST; !signal.aborted; wait = Math.min(2 * wait, AGAIN_LAST)) {
      const began = Date.now();
      try {
        for await (const { type, data } of this.#server.events("events", signal)) {
          if (type === "open") await this.#arrived();
          else this.#happened(type, data);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refused && error.status === 401) return this.#sessionOver();
      }
      if (Date.now() - began > AGAIN_LAST) wait = AGAIN_FIRST;
      this.online = false;
      this.#changed();
      await new Promise((again) => setTimeout(again, wait));
    }
  }

  async #arrived() {
    this.online = true;
    // Its end may have been missed; what still rings is told again.
    if (this.call?.phase === "ringing") this.#end(this.call, null);
    this.#changed();
    await this.refreshBots();
  }

  // The server was started again, or ended the session: a phone that needs no password is back without a word.
  async #sessionOver() {
    const { call, user } = this;
    if (call !== null) this.#end(call, null);
    this.#server.token = null;
    try {
      this.#enter(await this.#server.ask("POST", "sessions", { user: user.id }));
      if (call !== null) this.#say("The server ended the session, and with it the call. It was started again, perhaps.");
    } catch {
      await this.signOut("The session is over. Please sign in again.");
    }
  }

  async refreshBots() {
    if (this.user === null) return;
    try {
      this.bots = (await this.#server.ask("GET", "bots")).value;
      this.#changed();
    } catch (error) {
      // Without a connection nothing can be asked; that is shown already.
      if (error.status !== 0 && error.status !== 401) this.#say(error.message);
    }
  }

  // Calls a number, name or address.
  async dial(to, who = to) {
    if (this.call !== null) return;
    const call = this.#begin({ phase: "asking", who });
    try {
      const sdp = await this.#open(call);
      if (call.over) return;
      call.phase = "calling";
      this.#changed();
      const { leg, sdp: answer } = await this.#server.ask("POST", "legs", { to, sdp });
      call.leg = leg;
      if (call.over) return void (await this.#release(leg));
      await call.line.accept(answer);
      this.#quiet(call, ringback());
      this.#tell(call);
      for (const { type, data } of this.#early.get(leg) ?? []) this.#happened(type, data);
    } catch (error) {
      this.#fail(call, error.message);
    }
  }

  async answer() {
    const { call } = this;
    if (call?.phase !== "ringing") return;
    call.phase = "asking";
    this.#quiet(call, null);
    this.#changed();
    try {
      const sdp = await this.#open(call);
      if (call.over) return;
      const answer = await this.#server.ask("POST", `legs/${call.leg}/answer`, { sdp });
      if (call.over) return;
      await call.line.accept(answer.sdp);
      this.#talk(call);
    } catch (error) {
      this.#fail(call, error.message);
    }
  }

  // Hangs up, gives up or declines.
  async hangUp() {
    const { call } = this;
    if (call === null) return;
    this.#end(call, null);
    if (call.leg !== undefined) await this.#release(call.leg);
  }

  async #release(leg) {
    try {
      await this.#server.ask("DELETE", `legs/${leg}`);
    } catch (error) {
      // It ended meanwhile.
      if (error.status !== 404) this.#say(error.message);
    }
  }

  press(key) {
    if (this.call?.phase !== "talking") return;
    if (this.call.line.press(key)) keySound(key);
    else this.#say("This call takes no more keys just now.");
  }

  mute(muted) {
    if (this.call?.line === undefined) return;
    this.call.muted = muted;
    this.call.line.muted = muted;
    this.#changed();
  }

  async speakWith(voice) {
    const { call, voice: before } = this;
    this.voice = voice;
    this.note = null;
    this.#changed();
    try {
      await call?.line?.speakWith(voice);
    } catch (error) {
      if (call.over) return;
      this.voice = before;
      this.#say(error.message);
    }
  }

  // Loudness of both ends, 0 to 1.
  levels() {
    return this.call?.line?.levels() ?? { them: 0, you: 0 };
  }

  #begin(call) {
    this.call = { muted: false, over: false, ...call };
    this.note = null;
    this.#telling?.abort();
    this.#timeline.clear();
    this.#changed();
    return this.call;
  }

  // Opens the call's audio; gives the offer. A phone without a microphone can still listen and press keys.
  async #open(call) {
    let voice;
    try {
      voice = await openVoice(this.voice);
    } catch (error) {
      voice = await openVoice("silence");
      this.#say(`${error.message} You are in the call without one: you hear, and can press keys.`);
    }
    if (call.over) return voice.close();
    const lost = "The audio's way to the server is broken. It needs UDP between this browser and the server.";
    call.line = new Line(voice, this.#speaker, () => this.#fail(call, lost));
    call.line.muted = call.muted;
    return call.line.offer();
  }

  // The call cannot go on from here.
  #fail(call, note) {
    if (call.over) return;
    if (call.leg !== undefined) this.#release(call.leg);
    this.#end(call, note);
  }

  #happened(type, { leg, from, for: toward, reason }) {
    const call = this.call?.leg === leg ? this.call : null;
    if (type === "ringing") {
      this.#rings(leg, from, toward);
    } else if (call === null) {
      this.#keep(leg, { type, data: { leg, reason } });
    } else if (type === "answered") {
      this.#talk(call);
    } else if (type === "ended") {
      const tried = call.phase === "calling" && !call.untold ? " The timeline shows what was tried." : "";
      this.#end(call, `The call has ended: ${reason}.${tried}`);
    }
  }

  #keep(leg, event) {
    this.#early.set(leg, [...(this.#early.get(leg) ?? []), event]);
    if (this.#early.size > MOST_EARLY) this.#early.delete(this.#early.keys().next().value);
  }

  #rings(leg, from, toward) {
    // Told again, since the events were followed anew while it is being answered.
    if (this.call?.leg === leg) return;
    if (this.call !== null) {
      // One call at a time, as on a plain telephone.
      this.#release(leg);
      this.#say(`${from} called meanwhile, and found this phone busy.`);
      return;
    }
    const call = this.#begin({ phase: "ringing", who: from, toward, leg });
    this.#quiet(call, ring());
    this.#tell(call);
  }

  #talk(call) {
    if (call.over || call.phase === "talking") return;
    this.#quiet(call, null);
    call.phase = "talking";
    call.since = Date.now();
    this.#changed();
    if (call.untold) this.#tell(call);
  }

  #end(call, note) {
    if (call.over) return;
    call.over = true;
    this.#quiet(call, null);
    call.line?.close();
    this.call = null;
    if (note !== null) this.note = note;
    this.#changed();
    this.refreshBots();
  }

  // Stops what rings for this call, and keeps what rings instead.
  #quiet(call, next) {
    call.hush?.();
    call.hush = next;
  }

  // Follows the timeline of the call, to its last entry, which may come after its end; the next call's replaces it.
  async #tell(call) {
    this.#telling = new AbortController();
    const { signal } = this.#telling;
    try {
      for await (const { type, data } of this.#server.events(`legs/${call.leg}/timeline`, signal)) {
        if (signal.aborted) return;
        if (type === "message") this.#timeline.add(data);
        else if (type === "missed") this.#timeline.missed(data);
      }
    } catch (error) {
      if (call.over) return;
      // A meeting's call is the leg's once that is in it, which may be by now.
      if (error.status !== 404 || call.untold) return this.#say(`The timeline breaks off: ${error.message}`);
      call.untold = true;
      if (call.phase === "talking") this.#tell(call);
    }
  }

  #say(note) {
    this.note = note;
    this.#changed();
  }
}
