// What every program here does: it is told verbs, one JSON object a line, and replies to each with one.
//
// The first line it is told is the setting: where the server is, and who the bot is. Its own first line says who it
// is. A reply is {value}, or {refusal} for an error of the library's own class, or {broken} for any other.

import readline from "node:readline";

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

// `open(setting)` gives {name, version, error, verbs}: `verbs` maps a verb to a function of {call, member, body},
// `error` is the class of the errors that the library makes of what the server refuses.
export async function serve(open) {
  let library;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const told = JSON.parse(line);
    if (library === undefined) {
      library = await open(told);
      const { name, version, verbs } = library;
      say({ name, version, verbs: Object.keys(verbs) });
      continue;
    }
    try {
      const value = await library.verbs[told.verb](told);
      say({ value: value === undefined ? null : value });
    } catch (error) {
      if (error instanceof library.error) {
        const { statusCode: status, code, message } = error;
        say({ refusal: { status, code, message } });
      } else {
        say({ broken: String(error?.stack ?? error) });
      }
    }
  }
}
