// A bot on Node's own fetch: calls, and prints the call's id.

import { call, calls, form, formHeaders, headers, tokens } from "./setting.mjs";

const post = async (url, body, headers) => (await fetch(url, { method: "POST", body, headers })).json();

const token = (await post(tokens, form, formHeaders)).access_token;
console.log((await post(calls, JSON.stringify(call), headers(token))).id);
