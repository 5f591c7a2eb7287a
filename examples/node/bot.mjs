// An IVR: answers, plays a menu, and by the key pressed tells the opening hours or the address, or records a message.

import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { EnvironmentCredential } from "@azure/identity";
import { Client } from "@microsoft/teams.graph";
import * as calls from "@microsoft/teams.graph-endpoints/communications/calls";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const { AZURE_TENANT_ID: TENANT, AZURE_CLIENT_ID: APP, LISTEN = "127.0.0.1:3978" } = process.env;
const [, HOST, PORT] = LISTEN.match(/^(.*):(\d+)$/);
const URL_HERE = process.env.BOT_URL ?? `http://${LISTEN}`;
const OPENID = "https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration";
const ISSUERS = ["https://api.botframework.com", "https://graph.microsoft.com"];
const TENANT_CLAIM = "http://schemas.microsoft.com/identity/claims/tenantid";
const PROMPTS = ["menu", "hours", "address", "message", "bye"];
const MOST_BYTES = 1024 * 1024;
// Tokens that could not be checked, for want of keys: they are no stranger's.
const UNCHECKED = ["ERR_JOSE_GENERIC", "ERR_JWKS_TIMEOUT"];

const credential = new EnvironmentCredential();
const token = async () => (await credential.getToken("https://graph.microsoft.com/.default")).token;
const graph = new Client({ token });
const lines = new Map();
const seen = new Set(); // messages already taken: a repeat bears the same id

// One call, as its notifications tell of it.
class Line {
  #told = new Map();

  constructor(id) {
    this.id = id;
  }

  // What is waited for: `up`, `key`, and operations by their id. All are told when the call is over.
  when(what) {
    if (!this.#told.has(what)) {
      let tell;
      const promise = new Promise((resolve) => (tell = resolve));
      this.#told.set(what, { promise, tell });
      if (this.over) tell();
    }
    return this.#told.get(what);
  }

  end() {
    this.over = true;
    for (const { tell } of this.#told.values()) tell();
  }

  ask(endpoint, body) {
    return graph.call(endpoint.create, body, { "call-id": this.id });
  }

  play(name) {
    return this.ask(calls.playPrompt, { prompts: prompt(name), clientContext: name });
  }

  // An operation that was answered ended is told no more.
  async endOf({ id, status }) {
    return /^(completed|failed)$/i.test(status) ? undefined : this.when(id).promise;
  }
}

function prompt(name) {
  const mediaInfo = { "@odata.type": "#microsoft.graph.mediaInfo", uri: `${URL_HERE}/prompts/${name}.wav` };
  return [{ "@odata.type": "#microsoft.graph.mediaPrompt", mediaInfo: { ...mediaInfo, resourceId: name } }];
}

// One call, to its end, whatever goes wrong: such as a caller who hangs up early (status 404, code 8522).
async function serve(line) {
  await talk(line).catch((error) => console.error(`call ${line.id}: ${error.message}`));
  if (!line.over) await graph.call(calls.del, { "call-id": line.id });
}

async function talk(line) {
  const mediaConfig = { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" };
  await line.ask(calls.answer, { callbackUri: `${URL_HERE}/api/calls`, acceptedModalities: ["audio"], mediaConfig });
  await line.when("up").promise;
  await line.ask(calls.subscribeToTone, { clientContext: "keys" });
  await line.play("menu");
  const key = await Promise.race([line.when("key").promise, sleep(30_000, undefined, { ref: false })]);
  await line.ask(calls.cancelMediaProcessing, { clientContext: "cancel" }); // no need to hear the menu out
  let message;
  if (key === "tone1") await line.play("hours");
  if (key === "tone2") await line.play("address");
  if (key === "tone3") {
    const how = { clientContext: "message", stopTones: ["#"], maxRecordDurationInSeconds: 60 };
    message = await line.ask(calls.recordResponse, { prompts: prompt("message"), ...how });
  }
  const bye = await line.play("bye"); // waits its turn behind the others
  const recording = message && (await line.endOf(message));
  if (recording?.recordingLocation) {
    const headers = { authorization: `Bearer ${recording.recordingAccessToken}` };
    const wav = await fetch(recording.recordingLocation, { headers });
    if (!wav.ok) throw new Error(`the recording: ${wav.status} ${await wav.text()}`);
    await writeFile(`message-${line.id}.wav`, Buffer.from(await wav.arrayBuffer()));
  }
  await line.endOf(bye);
}

function take({ changeType, resourceUrl, resourceData: data }) {
  const [id, member, operation] = resourceUrl.split("/").slice(3);
  if (changeType === "created" && data.state === "incoming" && !lines.has(id)) {
    lines.set(id, new Line(id));
    serve(lines.get(id)).catch((error) => console.error(`call ${id} cannot be hung up: ${error.message}`));
  }
  const line = lines.get(id);
  if (line && member === "operations" && changeType === "deleted") line.when(operation).tell(data);
  if (!line || member) return;
  if (data.state === "established" && data.mediaState?.audio === "active") line.when("up").tell();
  if (data.toneInfo) line.when("key").tell(data.toneInfo.tone);
  if (data.state === "terminated" && lines.delete(id)) line.end();
}

let keys;
async function verify(authorization = "") {
  keys ??= createRemoteJWKSet(new URL((await (await fetch(OPENID)).json()).jwks_uri));
  const rules = { audience: APP, issuer: ISSUERS, algorithms: ["RS256"], clockTolerance: 60 };
  const { payload } = await jwtVerify(authorization.replace(/^Bearer /, ""), keys, rules);
  if ((payload[TENANT_CLAIM] ?? payload.tid) !== TENANT) throw new errors.JWTInvalid("another tenant's token");
}

async function webhook(request) {
  await verify(request.headers.authorization);
  const parts = [];
  for await (const part of request) {
    parts.push(part);
    if (parts.reduce((sum, { length }) => sum + length, 0) > MOST_BYTES) return 413;
  }
  const { value } = JSON.parse(Buffer.concat(parts));
  const message = request.headers["x-microsoft-skype-message-id"];
  if (!seen.has(message)) value.forEach(take);
  if (message) seen.add(message);
  if (seen.size > 10_000) seen.delete(seen.values().next().value);
  return 202;
}

createServer(async (request, response) => {
  const name = PROMPTS.find((one) => request.url === `/prompts/${one}.wav`);
  try {
    if (name) response.end(await readFile(new URL(`../prompts/${name}.wav`, import.meta.url)));
    else response.writeHead(request.url === "/api/calls" ? await webhook(request) : 404).end();
  } catch (error) {
    const refused = error instanceof errors.JOSEError && !UNCHECKED.includes(error.code);
    response.writeHead(refused ? 401 : 503).end(error.message);
  }
}).listen(PORT, HOST, () => console.log(`listening at ${URL_HERE}/api/calls`));
