// A bot on axios: calls, and prints the call's id.

import axios from "axios";
import { call, calls, form, headers, tokens } from "./setting.mjs";

const token = (await axios.post(tokens, form)).data.access_token;
console.log((await axios.post(calls, call, { headers: headers(token) })).data.id);
