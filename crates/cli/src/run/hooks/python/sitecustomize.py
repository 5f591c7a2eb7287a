"""What `ringback run` has Python load before a bot: connections to Microsoft's hosts come out at Ringback, or nowhere.

It works below every HTTP client, where a socket is told whom to connect to, since some of them know no proxy. TLS goes
on as before: the client asks for the host that it meant, and checks that host's certificate. Three libraries bring a way
to the network of their own, aiohttp's resolver, gevent and uvloop; they are met as they are imported.
"""

from __future__ import annotations

import json
import os
import sys

_MARK = "127.82.66.1"
"""An address of loopback that stands for Microsoft's hosts, for clients that look up first and connect then."""


def _install(run):
    import errno
    import socket

    hosts, refused, port_here = frozenset(run["hosts"]), run["refused"], run["port"]
    here = (run["ringback"]["host"], run["ringback"]["port"])

    def plain(host):
        if isinstance(host, (bytes, bytearray)):
            host = bytes(host).decode("ascii", "replace")
        return host.rstrip(".").lower() if isinstance(host, str) else ""

    def is_here(host):
        return plain(host) in hosts

    def is_refused(host):
        host = plain(host)
        return host not in hosts and any(host == domain or host.endswith("." + domain) for domain in refused)

    said = []

    def say(value):
        # Said to `ringback run`, which says it to the user. A bot does not fail because this does, nor fill a disk.
        if len(said) >= run["saidAtMost"]:
            return
        said.append(None)
        try:
            with open(run["said"], "a") as file:
                file.write(json.dumps(value) + "\n")
        except OSError:
            pass

    def refusal(what):
        text = f"{what}, and Ringback does not stand in for it: refused, nothing was sent"
        say({"refused": text})
        return f"ringback run: {text}"

    # Looking up and connecting.

    def looked_up(host):
        if is_refused(host):
            raise socket.gaierror(socket.EAI_NONAME, refusal(f"the address of {plain(host)} is Microsoft's"))
        return _MARK if is_here(host) else host

    def where(address):
        if not isinstance(address, tuple) or len(address) < 2:
            return address
        host, port = address[:2]
        if is_refused(host):
            raise ConnectionRefusedError(errno.ECONNREFUSED, refusal(f"{plain(host)}:{port} is Microsoft's"))
        if is_here(host) or host == _MARK:
            if port == port_here:
                return here
            raise ConnectionRefusedError(errno.ECONNREFUSED, refusal(f"{plain(host)}:{port} is Microsoft's"))
        return address

    def change(module):
        """Changes Python's own sockets, or those that a library has in their place."""
        getaddrinfo, gethostbyname, gethostbyname_ex = module.getaddrinfo, module.gethostbyname, module.gethostbyname_ex
        connect, connect_ex, bind = module.socket.connect, module.socket.connect_ex, module.socket.bind

        def our_getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
            return getaddrinfo(looked_up(host), port, family, type, proto, flags)

        def our_connect(self, address):
            return connect(self, where(address))

        def our_connect_ex(self, address):
            try:
                address = where(address)
            except ConnectionRefusedError as error:
                return error.errno
            return connect_ex(self, address)

        def our_bind(self, address):
            # A server that cannot have its port says so to its bot alone, in words that may be lost.
            try:
                return bind(self, address)
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES) and isinstance(address, tuple) and len(address) > 1:
                    say({"bind": address[1], "why": errno.errorcode[error.errno]})
                raise

        module.getaddrinfo = our_getaddrinfo
        module.gethostbyname = lambda host: gethostbyname(looked_up(host))
        module.gethostbyname_ex = lambda host: gethostbyname_ex(looked_up(host))
        module.socket.connect, module.socket.connect_ex, module.socket.bind = our_connect, our_connect_ex, our_bind

    change(socket)

    # Trusting: who names its own file of authorities, such as certifi's, trusts Ringback's too.

    try:
        import ssl
    except ImportError:
        ssl = None
    if ssl:
        load = ssl.SSLContext.load_verify_locations

        def load_verify_locations(self, cafile=None, capath=None, cadata=None):
            load(self, cafile, capath, cadata)
            try:
                load(self, run["authority"])
            except OSError:
                pass

        ssl.SSLContext.load_verify_locations = load_verify_locations

    # What this process starts is led here as it is, whatever environment it is given.

    def led(env):
        env = {os.fsdecode(name): os.fsdecode(value) for name, value in env.items()}
        for name, value in run["children"].items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        for name, value in run["trusted"].items():
            env.setdefault(name, value)
        for name, ours in run["first"].items():
            # Without a PATH, programs are looked for in the system's usual folders.
            if name == "PATH" and not env.get(name):
                continue
            others = env[name].split(":") if env.get(name) else []
            env[name] = ":".join([ours] + [folder for folder in others if folder != ours])
        options = env.get("NODE_OPTIONS", "")
        if run["nodeOptions"] not in options:
            env["NODE_OPTIONS"] = f"{run['nodeOptions']} {options}"
        return env

    # All others of the kind call one of these.
    execve = os.execve
    os.execve = lambda path, args, env: execve(path, args, led(env))
    os.execv = lambda path, args: execve(path, args, led(os.environ))
    for name in {"posix_spawn", "posix_spawnp"} & vars(os).keys():

        def our_spawn(path, args, env, *, _spawn=getattr(os, name), **named):
            return _spawn(path, args, led(os.environ if env is None else env), **named)

        setattr(os, name, our_spawn)

    def meet_subprocess(subprocess):
        from functools import wraps

        begin = subprocess.Popen.__init__

        @wraps(begin)
        def init(self, *words, **named):
            if len(words) > 10:
                words = (*words[:10], led(os.environ if words[10] is None else words[10]), *words[11:])
            else:
                env = named.get("env")
                named["env"] = led(os.environ if env is None else env)
            begin(self, *words, **named)

        subprocess.Popen.__init__ = init

    # Libraries with ways of their own.

    def meet_aiohttp(connector):
        resolve = connector.TCPConnector._resolve_host

        async def resolve_host(self, host, port, *rest, **named):
            if is_refused(host):
                raise socket.gaierror(socket.EAI_NONAME, refusal(f"the address of {plain(host)} is Microsoft's"))
            if not is_here(host):
                return await resolve(self, host, port, *rest, **named)
            found = {"hostname": host, "host": _MARK, "port": port, "family": socket.AF_INET, "proto": 0}
            return [{**found, "flags": socket.AI_NUMERICHOST}]

        connector.TCPConnector._resolve_host = resolve_host

    def meet_uvloop(uvloop):
        create, lookup = uvloop.Loop.create_connection, uvloop.Loop.getaddrinfo

        async def create_connection(self, factory, host=None, port=None, **named):
            if host is not None and (is_refused(host) or is_here(host)):
                if named.get("ssl"):
                    named["server_hostname"] = named.get("server_hostname") or plain(host)
                host, port = where((host, port))
            return await create(self, factory, host, port, **named)

        async def getaddrinfo(self, host, port, **named):
            return await lookup(self, looked_up(host), port, **named)

        uvloop.Loop.create_connection, uvloop.Loop.getaddrinfo = create_connection, getaddrinfo

    _meet({
        "aiohttp.connector": meet_aiohttp,
        "gevent.socket": change,
        "gevent.subprocess": meet_subprocess,
        "subprocess": meet_subprocess,
        "uvloop": meet_uvloop,
    })

    say({"leads": os.getpid()})
    os.register_at_fork(after_in_child=lambda: say({"leads": os.getpid()}))


def _meet(wanted):
    """Has each of these modules changed by its function once it is imported, or now if it is."""
    from importlib.machinery import PathFinder

    for name in wanted.keys() & sys.modules.keys():
        wanted.pop(name)(sys.modules[name])

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            meet = wanted.pop(name, None)
            spec = PathFinder.find_spec(name, path, target) if meet else None
            if spec is None or spec.loader is None:
                return None
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                meet(module)

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder)


def _run_shadowed():
    """Runs the `sitecustomize` that Python would have run, if there is one. This folder is on no path any more."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


try:
    with open(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "told.json")) as file:
        told = json.load(file)
    _install(told)
except Exception as error:
    # Python would go on without a sitecustomize that failed, and the bot to Microsoft.
    raise SystemExit(f"ringback run: Python could not be led to Ringback, so it does not start: {error!r}") from error
_run_shadowed()
