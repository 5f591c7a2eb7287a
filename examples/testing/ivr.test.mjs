// The example bots, called by telephone. One of them runs already (`ringback run -- …`), and RINGBACK_DATA names the data
// folder; RINGBACK_BOT is its number, 5000 if it is not said.
//
//   RINGBACK_DATA=ringback-data node --test examples/testing/ivr.test.mjs

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { NotSo, ringback } from "./ringback-testing.mjs";

const bot = process.env.RINGBACK_BOT ?? "5000";
const prompt = (name) => fileURLToPath(new URL(`../prompts/${name}.wav`, import.meta.url));

test("the opening hours are told", async (t) => {
  const phone = (await ringback()).phone(t);
  await phone.call(bot).hears(prompt("menu")).press("1").hears(prompt("hours")).hears(prompt("bye")).isHungUp();
});

test("who knows the menu need not hear it out", async (t) => {
  const phone = (await ringback()).phone(t);
  await phone.call(bot).press("2").hears(prompt("address")).hears(prompt("bye")).isHungUp();
});

test("what is not said is not heard", async (t) => {
  const phone = (await ringback()).phone(t);
  await assert.rejects(
    async () => phone.call(bot).press("1").hears(prompt("address"), { within: 4 }),
    (error) => error instanceof NotSo && /hears .*address\.wav: heard .* of sound in .* at best 0\./.test(error.message),
  );
});
