// Speaks to the server that the page came from: everything under /_ringback/phone/ (docs/PHONE.md), as any program may.
// It must not know the page, or audio.

const PHONE = "/_ringback/phone/";

// Milliseconds without a word after which a stream is given up: the server says something every 15 seconds. A machine that
// slept may find its connections gone without being told.
const SILENT = 40_000;

// What the server refused, in its own words; status 0: it did not answer.
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export class Server {
  // The session's, once there is one.
  token = null;

  // Sends JSON, gives what comes back as JSON, or null where nothing does.
  async ask(method, path, body) {
    const response = await this.#send(method, path, body);
    return response.status === 204 ? null : response.json();
  }

  // Server-sent events (WHATWG HTML §9.2) as {type, data}; the first, of type "open", says that they are followed.
  // By fetch, since EventSource sends no token. Ends when the server ends it, throws when the connection breaks.
  async *events(path, signal) {
    const response = await this.#send("GET", path, undefined, signal);
    yield { type: "open", data: null };
    let type = "message";
    let data = [];
    for await (const line of lines(response.body)) {
      if (line.startsWith("event:")) {
        type = line.slice(6).trim();
      } else if (line.startsWith("data:")) {
        data.push(line.slice(5));
      } else if (line === "" && data.length > 0) {
        yield { type, data: JSON.parse(data.join("\n")) };
        type = "message";
        data = [];
      }
    }
  }

  async #send(method, path, body, signal) {
    const headers = {};
    if (this.token !== null) headers.Authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    // Hanging up is the last that a page does which is closed.
    const keepalive = method === "DELETE";
    let response;
    try {
      response = await fetch(PHONE + path, { method, headers, signal, keepalive, body: JSON.stringify(body) });
    } catch (error) {
      throw error.name === "AbortError" ? error : new Refused(0, "The server does not answer. Does it run?");
    }
    if (!response.ok) throw new Refused(response.status, await reason(response));
    return response;
  }
}

async function reason(response) {
  const said = await response.json().catch(() => null);
  return said?.error?.message ?? `The server answered ${response.status} and no reason.`;
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const silent = setTimeout(() => reader.cancel().catch(() => {}), SILENT);
      const { done, value } = await reader.read().finally(() => clearTimeout(silent));
      if (done) return;
      const whole = (rest + value).split("\n");
      rest = whole.pop();
      for (const line of whole) yield line.endsWith("\r") ? line.slice(0, -1) : line;
    }
  } finally {
    // Who reads no further leaves no connection open: a browser has six for a server.
    reader.cancel().catch(() => {});
  }
}
