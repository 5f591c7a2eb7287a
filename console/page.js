// The page: shows the phone, and tells it what is clicked and pressed. All that is remembered is in phone.js.

import { Phone } from "./phone.js";
import { allowSound, KEYS } from "./sound.js";
import { Timeline } from "./timeline.js";

const LETTERS = ["", "abc", "def", "ghi", "jkl", "mno", "pqrs", "tuv", "wxyz", "", "", ""];

const PHASES = { asking: "Waiting for the microphone …", calling: "Calling …" };

const $ = (id) => document.getElementById(id);

const timeline = new Timeline($("entries"), (count) => {
  $("entries").hidden = count === 0;
  $("copy").hidden = count === 0;
  $("nothing").hidden = count > 0;
});
const phone = new Phone($("speaker"), timeline, show);

function show() {
  const { user, call, note, online } = phone;
  $("offline").hidden = user === null || online;
  $("who").textContent = user === null ? "" : named(user);
  $("leave").hidden = user === null;
  $("note").hidden = note === null;
  if ($("note").textContent !== (note ?? "")) $("note").textContent = note ?? "";
  const view = user === null ? "sign-in" : call === null ? "idle" : "call";
  const before = document.activeElement;
  for (const name of ["sign-in", "idle", "call"]) $(name).hidden = name !== view;
  $("voices").hidden = user === null;
  $("voice").value = phone.voice;
  ({ "sign-in": showSignIn, idle: showIdle, call: showCall })[view]();
  // Whoever came by keyboard goes on where the next step is, and is not left on what is gone.
  if (before === document.body || before?.closest("[hidden]")) FIRST[view]()?.focus();
}

const FIRST = {
  "sign-in": () => document.querySelector(phone.users === null ? "#user" : "#users button"),
  idle: () => ($("number").value === "" && document.querySelector("#bots button")) || $("number"),
  call: () => (phone.call.phase === "ringing" ? $("answer") : $("mute").hidden ? $("end") : $("mute")),
};

function named({ name, number }) {
  return number && !name.includes(number) ? `${name} · ${number}` : name;
}

function showSignIn() {
  document.title = "Ringback";
  $("users").hidden = phone.users === null;
  $("users-hint").hidden = phone.users === null;
  $("login").hidden = phone.users !== null;
  choices($("users"), phone.users ?? [], (user) => phone.signIn(user.id));
}

function showIdle() {
  document.title = `${phone.user.name} – Ringback`;
  $("no-bots").hidden = phone.bots.length > 0;
  choices($("bots"), phone.bots, (bot) => phone.dial(bot.number, bot.name));
}

// A list of buttons, left alone while it is the same, so that focus stays where it is.
function choices(list, of, chosen) {
  const now = JSON.stringify(of);
  if (list.dataset.of === now) return;
  list.dataset.of = now;
  const items = of.map((one) => {
    const button = document.createElement("button");
    button.type = "button";
    const name = document.createElement("span");
    name.textContent = one.name;
    const number = document.createElement("code");
    // Without a number one is called by the id, which nobody reads; a meeting bears its number as its name.
    number.textContent = one.number === one.id || one.name.includes(one.number) ? "" : one.number;
    button.append(name, number);
    button.addEventListener("click", () => {
      allowSound();
      chosen(one);
    });
    const item = document.createElement("li");
    item.append(button);
    return item;
  });
  list.replaceChildren(...items);
}

function showCall() {
  const { phase, who, toward, muted } = phone.call;
  const rings = phase === "ringing";
  const talks = phase === "talking";
  document.title = rings ? `☎ ${who} is calling` : `${who} – Ringback`;
  $("peer").textContent = who;
  $("phase").hidden = talks;
  $("phase").textContent = PHASES[phase] ?? (isMe(toward) ? "is calling" : `is calling for ${toward}`);
  $("clock").hidden = !talks;
  $("talk").hidden = !talks;
  $("mute").hidden = !talks;
  $("mute").setAttribute("aria-pressed", muted);
  $("mute").textContent = muted ? "Muted" : "Mute";
  $("answer").hidden = !rings;
  $("end").textContent = rings ? "Decline" : "Hang up";
  $("phone").classList.toggle("rings", rings);
  if (talks) requestAnimationFrame(meter);
}

function isMe(toward) {
  const { id, name, number } = phone.user;
  return !toward || [id, name, number].includes(toward);
}

let metering = false;

// Levels and clock, while somebody talks.
function meter() {
  if (metering) return;
  metering = true;
  const frame = () => {
    metering = phone.call?.phase === "talking";
    const { them, you } = phone.levels();
    $("level-them").style.setProperty("--level", them);
    $("level-you").style.setProperty("--level", you);
    if (!metering) return;
    const seconds = Math.floor((Date.now() - phone.call.since) / 1000);
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if ($("clock").textContent !== clock) $("clock").textContent = clock;
    requestAnimationFrame(frame);
  };
  frame();
}

function keypad() {
  for (const [index, key] of [...KEYS].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.key = key;
    const letters = document.createElement("small");
    letters.textContent = LETTERS[index];
    letters.ariaHidden = "true";
    button.append(key, letters);
    button.addEventListener("click", () => phone.press(key));
    $("keypad").append(button);
  }
}

// Keys of the keyboard are those of the keypad, while somebody talks and does not write.
function typed(event) {
  const writes = event.target.closest?.("input, select, textarea");
  if (phone.call?.phase !== "talking" || writes || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "m" && !event.repeat) {
    phone.mute(!phone.call.muted);
  } else if (KEYS.includes(event.key) && !event.repeat) {
    const button = document.querySelector(`[data-key="${event.key}"]`);
    button.classList.add("pressed");
    setTimeout(() => button.classList.remove("pressed"), 120);
    phone.press(event.key);
    event.preventDefault();
  }
}

function listen() {
  $("login").addEventListener("submit", (event) => {
    event.preventDefault();
    allowSound();
    phone.signIn($("user").value.trim(), $("password").value);
    $("password").value = "";
  });
  $("dial").addEventListener("submit", (event) => {
    event.preventDefault();
    allowSound();
    phone.dial($("number").value.trim());
  });
  $("answer").addEventListener("click", () => {
    allowSound();
    phone.answer();
  });
  $("end").addEventListener("click", () => phone.hangUp());
  $("mute").addEventListener("click", () => phone.mute(!phone.call.muted));
  $("leave").addEventListener("click", () => phone.signOut());
  $("voice").addEventListener("change", () => phone.speakWith($("voice").value));
  $("copy").addEventListener("click", copy);
  document.addEventListener("keydown", typed);
  document.addEventListener("visibilitychange", () => document.hidden || phone.refreshBots());
  addEventListener("focus", () => phone.refreshBots());
  // A call does not outlive its page.
  addEventListener("pagehide", () => phone.call && phone.hangUp());
}

async function copy() {
  try {
    await navigator.clipboard.writeText(timeline.text());
    $("copy").textContent = "Copied";
  } catch {
    $("copy").textContent = "Not allowed";
  }
  setTimeout(() => ($("copy").textContent = "Copy"), 1500);
}

keypad();
listen();
phone.start();
