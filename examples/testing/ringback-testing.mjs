// Tests of a calling bot by telephone, with Ringback and node:test. One file, to be copied; no dependencies.
//
//   import { ringback } from "./ringback-testing.mjs";
//   test("menu", async (t) => {
//     const phone = (await ringback()).phone(t);
//     await phone.call("5000").hears("menu.wav").press("12#").hears("bye.wav");
//   });
//
// The server is the one whose data folder RINGBACK_DATA names (else ringback-data): `ringback run` or `serve` runs it.

import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";

/** Seconds in which a bot must have answered. */
const ANSWER_WITHIN = 30;

/** What is taken back when a test is over, by the test's context. */
const owed = new WeakMap();

/** Takes something back when the test is over: in one hook for all, as the hooks after one that failed are not run. */
function afterwards(t, takeBack) {
  if (owed.has(t)) return owed.get(t).push(takeBack);
  const all = [takeBack];
  owed.set(t, all);
  t.after(async () => {
    const ends = await Promise.allSettled(all.map((takeBack) => takeBack()));
    const failed = ends.find(({ status }) => status === "rejected");
    if (failed) throw failed.reason;
  });
}

/** The call did not go as the test says. The text says what was found instead, and what happened in the call. */
export class NotSo extends Error {
  name = "NotSo";
}

/** The running server of a data folder. */
export async function ringback(data = process.env.RINGBACK_DATA ?? "ringback-data") {
  const read = async (name) => (await readFile(join(data, name), "utf8")).trim();
  return new Ringback(await read("http.url"), await read("operator.token"));
}

/** A server, through its operator's door. */
export class Ringback {
  #url;
  #token;

  constructor(url, token) {
    this.#url = url.replace(/\/+$/, "");
    this.#token = token;
  }

  /** A request to `/_ringback/…`; a refusal is an error with the server's words, but to delete what is gone. */
  async ask(method, path, body = "") {
    const bytes = Buffer.isBuffer(body) || typeof body === "string" ? body : JSON.stringify(body);
    const { status, answer } = await this.#send(method, path, bytes);
    if ((status >= 200 && status < 300) || (method === "DELETE" && status === 404)) return answer;
    let text = answer.toString();
    try {
      text = JSON.parse(text).error.message;
    } catch {
      // Not of this server's making: shown as it is.
    }
    throw new Error(`${method} ${path}: ${status}: ${text}`);
  }

  // Not fetch: a step may take longer than fetch waits for an answer's head behind a hook or a proxy.
  #send(method, path, body) {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${this.#token}`, "content-length": Buffer.byteLength(body) };
      const asked = request(`${this.#url}/_ringback/${path}`, { method, headers, timeout: 180_000 }, (response) => {
        const pieces = [];
        response.on("data", (piece) => pieces.push(piece));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode, answer: Buffer.concat(pieces) }));
      });
      asked.on("timeout", () => asked.destroy(new Error(`${method} ${path}: no answer within 180 s`)));
      asked.on("error", reject);
      asked.end(body);
    });
  }

  /**
   * A phone: `number`, `called` (answer, ring, busy, decline) and `codec` (PCMU, PCMA, G722) may be said.
   * `t` is the test's context; when the test is over the phone hangs up and is gone.
   */
  phone(t, how = {}) {
    const phone = new Phone(this, how);
    if (t) afterwards(t, () => phone.putAway());
    return phone;
  }

  /**
   * The next notifications go wrong on purpose: `delay` (`delayMs`), `drop`, `duplicate` or `swap`; `next`. What none has
   * met when the test is over is taken back.
   */
  async fault(t, kind, more = {}) {
    const { id } = JSON.parse(await this.ask("POST", "test/faults", { fault: kind, ...more }));
    afterwards(t, () => this.ask("DELETE", `test/faults/${id}`));
  }
}

/**
 * A phone of the server. Its steps are taken one after the other; `await` waits for all of them, and fails with what is
 * wrong at the first that is not as it should be. Steps after that one are not taken.
 */
export class Phone {
  #ringback;
  #made;
  #steps;

  constructor(server, how) {
    this.#ringback = server;
    this.#made = server.ask("POST", "test/phones", how).then((made) => `test/phones/${JSON.parse(made).id}`);
    // The first step tells it if there is no phone.
    this.#steps = this.#made;
  }

  /** Calls a bot: a number, an app's id, or anything with a `number`; waits until it answers. */
  call(bot, { within = ANSWER_WITHIN } = {}) {
    const to = String(bot?.number ?? bot);
    return this.#step("call", { to }, `call ${to}`).answered({ within });
  }

  /** Waits until the call is up: the bot's that called this phone, too. */
  answered({ within = ANSWER_WITHIN } = {}) {
    return this.#step("wait", { for: "answered", within }, "is answered");
  }

  /** Waits until the phone rings; for one made with `called: "ring"`. */
  rings({ within = 10 } = {}) {
    return this.#step("wait", { for: "ringing", within }, "rings");
  }

  /** Answers the call that rings. */
  answer() {
    return this.#step("answer", "", "answer");
  }

  /** Presses keys: 0-9 * # A-D. */
  press(keys) {
    return this.#step("press", { keys }, `press ${keys}`);
  }

  /** Says a WAV file (mono, 16 bits). */
  says(wav) {
    return this.#step("say", () => readFile(wav), `says ${wav}`);
  }

  /** The bot plays this WAV file, after what was heard before. */
  hears(wav, { within = 10, likeness = 0.8 } = {}) {
    return this.#step(`expect?within=${within}&likeness=${likeness}`, () => readFile(wav), `hears ${wav}`);
  }

  /** The bot has pressed these keys. */
  isPressed(keys, { within = 10 } = {}) {
    return this.#step("wait", { keys, within }, `is pressed ${keys}`);
  }

  /** The bot hangs up. */
  isHungUp({ within = 10 } = {}) {
    return this.#step("wait", { for: "ended", within }, "is hung up", ({ phone: { ended } }) =>
      ended.by === "bot" ? null : `by the ${ended.by}, not by the bot`,
    );
  }

  /** Hangs up. */
  hangUp() {
    return this.#step("hang-up", "", "hang up");
  }

  /** The phone and its call, as docs/TESTING.md describes them. */
  async look() {
    return JSON.parse(await this.#ringback.ask("GET", await this.#made));
  }

  /** What was heard in the latest call, as a WAV file. */
  async heard() {
    return this.#ringback.ask("GET", `${await this.#made}/heard.wav`);
  }

  /** Hangs up, and is gone. */
  async putAway() {
    await this.#ringback.ask("DELETE", await this.#made);
  }

  /** So that `await phone.call(…).press(…)` waits for the steps. A failure is told once; then there are new steps. */
  then(done, failed) {
    const steps = this.#steps;
    this.#steps = Promise.resolve();
    return steps.then(done && (() => done()), failed);
  }

  #step(step, body, words, alsoWrong = () => null) {
    this.#steps = this.#steps.then(async () => {
      const bytes = typeof body === "function" ? await body() : body;
      const taken = JSON.parse(await this.#ringback.ask("POST", `${await this.#made}/${step}`, bytes));
      const why = taken.ok ? alsoWrong(taken) : taken.why;
      if (why === null) return;
      const entries = taken.phone.timeline.slice(-12).map(({ kind, text }) => `\n    ${kind.padEnd(12)} ${text}`);
      throw new NotSo(`${words}: ${why}${entries.length ? `\n  what happened in the call:${entries.join("")}` : ""}`);
    });
    return this;
  }
}
