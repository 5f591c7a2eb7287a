// A bot on undici, as it is published: calls, and prints the call's id.

import { request } from "undici";
import { call, calls, form, formHeaders, headers, tokens } from "./setting.mjs";

const post = async (url, body, headers) => (await request(url, { method: "POST", body, headers })).body.json();

const token = (await post(tokens, form, formHeaders)).access_token;
console.log((await post(calls, JSON.stringify(call), headers(token))).id);
