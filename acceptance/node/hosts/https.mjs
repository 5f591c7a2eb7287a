// A bot on Node's own https: calls, and prints the call's id.

import https from "node:https";
import { json } from "node:stream/consumers";
import { call, calls, form, formHeaders, headers, tokens } from "./setting.mjs";

const post = (url, body, headers) =>
  new Promise((resolve, reject) => {
    const request = https.request(url, { method: "POST", headers }, (answer) => resolve(json(answer)));
    request.on("error", reject).end(body);
  });

const token = (await post(tokens, form, formHeaders)).access_token;
console.log((await post(calls, JSON.stringify(call), headers(token))).id);
