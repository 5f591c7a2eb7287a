// What `ringback run` has Node load before a bot: connections to Microsoft's hosts come out at Ringback, or nowhere.
//
// It works below every HTTP client, where a socket is told whom to connect to, since most of them know no proxy. TLS
// goes on as before: the client asks for the host that it meant, and checks that host's certificate. It must not know
// HTTP, nor any client by name.

"use strict";

// An address of loopback that stands for Microsoft's hosts, for clients that look up first and connect then.
const MARK = "127.82.66.1";

const fs = require("node:fs");

// What cannot be read here is no reason to go on without: Node does not start then.
install(JSON.parse(fs.readFileSync(`${__dirname}/told.json`)));

function install(run) {
  const net = require("node:net");
  const hosts = new Set(run.hosts);

  const plain = (host) => String(host).replace(/\.+$/, "").toLowerCase();
  const isBelow = (host, domain) => host === domain || host.endsWith(`.${domain}`);
  const isHere = (host) => hosts.has(plain(host));
  const isMicrosofts = (host) => isHere(host) || run.refused.some((domain) => isBelow(plain(host), domain));

  function refusal(what, hostname, code) {
    const text = `${what}, and Ringback does not stand in for it: refused, nothing was sent`;
    say({ refused: text });
    return Object.assign(new Error(`ringback run: ${text}`), { code, hostname });
  }

  // Said to `ringback run`, which says it to the user. A bot does not fail because this does, nor fill a disk with it.
  let said = 0;
  function say(value) {
    if (++said > run.saidAtMost) return;
    try {
      fs.appendFileSync(run.said, `${JSON.stringify(value)}\n`);
    } catch {}
  }

  // Whom a socket connects to. `net.connect`, `tls.connect`, http, https, http2 and undici all come here.
  const connect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function (...words) {
    const [options, connected] = Array.isArray(words[0]) ? words[0] : net._normalizeArgs(words);
    const host = options?.host;
    if (!host || options.path || !(isMicrosofts(host) || host === MARK)) return connect.apply(this, words);
    const port = Number(options.port);
    if ((isHere(host) || host === MARK) && port === run.port) {
      const here = { ...options, ...run.ringback, lookup: undefined };
      return typeof connected === "function" ? connect.call(this, here, connected) : connect.call(this, here);
    }
    process.nextTick(() => this.destroy(refusal(`${host}:${port} is Microsoft's`, host, "ECONNREFUSED")));
    return this;
  };

  // Who looks up first would connect to what was found. Other questions about these hosts have no answer here.
  const dns = require("node:dns");
  for (const name of ["lookup", "resolve", "resolve4", "resolve6", "resolveAny", "resolveCname"]) {
    const answer = (host) => {
      if (name === "lookup" && isHere(host)) return MARK;
      if (isMicrosofts(host)) throw refusal(`the address of ${host} is Microsoft's`, String(host), "ENOTFOUND");
      return host;
    };
    for (const asker of [dns, dns.Resolver.prototype]) {
      const ask = asker[name];
      if (!ask) continue;
      const ours = function (host, ...rest) {
        let known;
        try {
          known = answer(host);
        } catch (error) {
          process.nextTick(rest.at(-1), error);
          return undefined;
        }
        return ask.call(this, known, ...rest);
      };
      // What util.promisify reads is a property of the function.
      asker[name] = Object.defineProperties(ours, Object.getOwnPropertyDescriptors(ask));
    }
    for (const asker of [dns.promises, dns.promises.Resolver.prototype]) {
      const ask = asker[name];
      if (!ask) continue;
      asker[name] = async function (host, ...rest) {
        return ask.call(this, answer(host), ...rest);
      };
    }
  }

  // A server that cannot have its port says so to its bot alone, in words that may be lost.
  const { errorMonitor } = require("node:events");
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (...words) {
    // A listener that watches: it is none in the eyes of a bot that has none, and fails for it.
    this.once(errorMonitor, ({ code, port }) => {
      if (code === "EADDRINUSE" || code === "EACCES") say({ bind: port, why: code });
    });
    return listen.apply(this, words);
  };

  // Who names authorities of its own, such as a company's, trusts Ringback's too.
  const tls = require("node:tls");
  const authority = fs.readFileSync(run.authority);
  const createSecureContext = tls.createSecureContext;
  tls.createSecureContext = function (options, ...rest) {
    const own = options?.ca;
    const ours = own ? Object.create(options, { ca: { value: [].concat(own, authority) } }) : options;
    return createSecureContext.call(this, ours, ...rest);
  };

  // This process has no proxy but the user's: older axios would send what is for https to it in the clear. So it connects
  // to others directly, and nobody is to wonder.
  set(process.env, run.node);
  say({ leads: process.pid });

  // What it starts may be no Node, and is led here whatever environment it is given.
  const child = require("node:child_process");
  const spawn = child.ChildProcess.prototype.spawn;
  child.ChildProcess.prototype.spawn = function (options) {
    if (options?.envPairs) {
      const pairs = options.envPairs.map((pair) => pair.match(/^([^=]*)=([^]*)$/)?.slice(1)).filter(Boolean);
      const env = Object.entries(led(Object.fromEntries(pairs)));
      options.envPairs = env.map(([name, value]) => `${name}=${value}`);
    }
    return spawn.call(this, options);
  };
  for (const name of ["spawnSync", "execFileSync", "execSync"]) {
    const start = child[name];
    child[name] = function (command, ...words) {
      // Where Node looks for options: behind the program's own words, which may be left out. A function counts as none.
      const [first] = words;
      const at = name === "execSync" || (Object(first) === first && !Array.isArray(first)) ? 0 : 1;
      const given = words[at] ?? {};
      // What is no object behind words stays: Node refuses it.
      if (at === 0 || typeof given === "object") {
        words.splice(at, Infinity, { ...given, env: led({ ...(given.env ?? process.env) }) });
      }
      return start.call(this, command, ...words);
    };
  }
  const threads = require("node:worker_threads");
  threads.Worker = class Worker extends threads.Worker {
    constructor(file, options) {
      const env = options?.env;
      super(file, env && typeof env === "object" ? { ...options, env: led({ ...env }) } : options);
    }
  };

  // Modules that name single functions get the changed ones.
  require("node:module").syncBuiltinESMExports();

  function set(env, values) {
    for (const [name, value] of Object.entries(values)) {
      if (value === null) delete env[name];
      else env[name] = value;
    }
    return env;
  }

  // The same environment, with all that leads here.
  function led(env) {
    set(env, run.children);
    for (const [name, value] of Object.entries(run.trusted)) env[name] ??= value;
    for (const [name, ours] of Object.entries(run.first)) {
      // Without a PATH, programs are looked for in the system's usual folders.
      if (name === "PATH" && !env.PATH) continue;
      const others = env[name] ? env[name].split(":").filter((folder) => folder !== ours) : [];
      env[name] = [ours, ...others].join(":");
    }
    const options = env.NODE_OPTIONS ?? "";
    if (!options.includes(run.nodeOptions)) env.NODE_OPTIONS = `${run.nodeOptions} ${options}`;
    return env;
  }
}
