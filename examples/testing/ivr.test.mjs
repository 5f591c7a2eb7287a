// The example bots, called by telephone. One of them runs already (`ringback run -- …`), and RINGBACK_DATA names the data
// folder; RINGBACK_BOT is its number, 5000 if it is not said.
//
//   RINGBACK_DATA=ringback-data node --test examples/testing/ivr.test.mjs

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { NotSo, ringback } from "./ringback-testing.mjs";

const bot = process.env.RINGBACK_BOT ?? "5000";
const prompt = (name) => fileURLToPath(new URL(`../prompts/${name}.wav`, import.meta.url));

/** Calls, and waits until the bot has subscribed to keys: it is never told of those that were pressed before. */
async function callUntilItListens(phone) {
  await phone.call(bot);
  const listens = ({ text }) => text.includes("subscribeToTone → 200");
  while (!(await phone.look()).timeline.some(listens)) await setTimeout(50);
}

test("the opening hours are told", async (t) => {
  const phone = (await ringback()).phone(t);
  await phone.call(bot).hears(prompt("menu")).press("1").hears(prompt("hours")).hears(prompt("bye")).isHungUp();
});

test("who knows the menu need not hear it out", async (t) => {
  const phone = (await ringback()).phone(t);
  await callUntilItListens(phone);
  await phone.press("2").hears(prompt("address")).hears(prompt("bye")).isHungUp();
});

test("what is not said is not heard", async (t) => {
  const phone = (await ringback()).phone(t);
  await callUntilItListens(phone);
  await assert.rejects(
    async () => phone.press("1").hears(prompt("address"), { within: 4 }),
    (error) => error instanceof NotSo && /hears .*address\.wav: heard .* of sound in .* at best 0\./.test(error.message),
  );
});
