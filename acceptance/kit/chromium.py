"""Chromium without a window, told by the DevTools protocol over two pipes: one profile, one page, a microphone that is
a file."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from kit import audio, check
from kit.processes import Ends, Running, fresh

AFTER = 0.5
"""Seconds that a page hears what was sent before."""

SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    # A container's /dev/shm is small.
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
    # Microphone and loudspeaker of a machine that has none; a page that asks for the first is allowed it.
    "--use-fake-device-for-media-stream",
)

ALLOWS_MICROPHONE = "--use-fake-ui-for-media-stream"

WENT = ("Inspected target navigated or closed", "Execution context was destroyed.")
"""What the browser answers of a document that went while it was asked."""


class Went(check.Failed):
    """The document that was asked makes room for another one."""


RAW = """(() => {
  const devices = navigator.mediaDevices;
  if (!devices) return;
  const asked = devices.getUserMedia.bind(devices);
  const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  devices.getUserMedia = ({ audio }) => asked({ audio: audio && { ...audio, ...raw } });
})()"""
"""The microphone as it is. What browsers do for voices takes tones for noise, and is not what is under test."""

HEAR = """(() => {
  const track = document.querySelector("audio").srcObject.getAudioTracks()[0];
  const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 6000 }).readable.getReader();
  const heard = { pieces: [], rate: 0, length: 0 };
  window.heard = heard;
  (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const piece = new Float32Array(value.numberOfFrames);
      value.copyTo(piece, { planeIndex: 0, format: "f32-planar" });
      heard.rate = value.sampleRate;
      heard.length += piece.length;
      heard.pieces.push(piece);
      value.close();
    }
  })();
})()"""
"""What comes by the connection is kept, before it reaches a loudspeaker, in the page."""

HEARD = """(() => {
  const bytes = new Uint8Array(2 * heard.length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const piece of heard.pieces) {
    for (const sample of piece) {
      view.setInt16(at, Math.round(32767 * Math.max(-1, Math.min(1, sample))), true);
      at += 2;
    }
  }
  let text = "";
  for (let from = 0; from < bytes.length; from += 8192) {
    text += String.fromCharCode(...bytes.subarray(from, from + 8192));
  }
  return { rate: heard.rate, samples: btoa(text) };
})()"""


class Chromium(Ends):
    """A browser with one page. `with Chromium(…) as page:` ends it."""

    def __init__(
        self, folder: Path, *, says: Path | None = None, microphone: bool = True, host: str | None = None
    ) -> None:
        """`says`: the WAV file that the microphone says again and again. Without `microphone` it is refused. `host`
        leads to this machine."""
        folder = fresh(folder)
        self.folder = folder
        self.wrong: list[str] = []
        """What the page's scripts or the browser complained of."""
        self._answers: dict[int, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._ended = False
        self._last = 0
        # The browser reads commands from descriptor 3 and writes to 4. Other shells know numbers of one digit only.
        commands, self._commands = os.pipe()
        self._told, told = os.pipe()
        words: list[str | Path] = ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{told}', "chromium", "chromium"]
        words += [*SWITCHES, f"--user-data-dir={folder / 'profile'}"]
        if microphone:
            words.append(ALLOWS_MICROPHONE)
        if host is not None:
            words.append(f"--host-resolver-rules=MAP {host} 127.0.0.1")
        if says is not None:
            words.append(f"--use-file-for-fake-audio-capture={says}")
        self._running = Running([*words, "about:blank"], folder / "chromium.log", pass_fds=(commands, told))
        os.close(commands)
        os.close(told)
        threading.Thread(target=self._read, name="chromium", daemon=True).start()
        try:
            self._session = self._attach()
            for domain in ("Page", "Runtime", "Log"):
                self.tell(f"{domain}.enable")
            self.tell("Page.addScriptToEvaluateOnNewDocument", source=RAW)
        except BaseException:
            self._running.end()
            raise

    def close(self, failed: bool) -> None:
        if failed:
            self.screenshot("failed")
        self._running.end()
        os.close(self._commands)
        if not failed:
            check.same(self.wrong, [], "what the browser complained of")

    def tell(self, method: str, **parameters: Any) -> Any:
        """One command of the protocol, for the page; gives its result."""
        return self._tell(method, parameters, {"sessionId": self._session})

    def open(self, url: str) -> None:
        """Goes to an address; gives when the page is loaded."""
        failed = self.tell("Page.navigate", url=url).get("errorText")
        check.that(not failed, f"{url} cannot be opened: {failed}")
        self.wait("document.readyState === 'complete'", f"{url} is loaded")

    def reload(self) -> None:
        """Loads the page again, as its reader may; gives when that is done."""
        self.evaluate("window.isOld = true")
        self.tell("Page.reload")
        self.wait("window.isOld === undefined && document.readyState === 'complete'", "the page is loaded again")

    def evaluate(self, expression: str) -> Any:
        """What an expression comes to in the page, as JSON would have it."""
        told = self.tell("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise check.Failed(f"{expression}: {_words(told['exceptionDetails'])}")
        return told["result"].get("value")

    def wait(self, expression: str, what: str, within: float = check.PATIENCE) -> Any:
        """Waits until an expression is true in the page."""

        def ask() -> Any:
            try:
                return self.evaluate(expression)
            except Went:
                return None

        return check.soon(ask, what, within, said=self.text)

    def see(self, selector: str, within: float = check.PATIENCE) -> None:
        """Waits until this element can be seen."""
        shown = f"document.querySelector({json.dumps(selector)})?.checkVisibility() === true"
        self.wait(shown, f"{selector} is shown", within)

    def text(self) -> str:
        """What a reader of the page sees."""
        return str(self.evaluate("document.body.innerText"))

    def click(self, selector: str) -> None:
        """Clicks where this element is, once it can be seen and nothing lies on it."""
        name = json.dumps(selector)
        place = self.wait(
            f"""(() => {{
                const element = document.querySelector({name});
                if (!element?.checkVisibility()) return null;
                element.scrollIntoView({{ block: "nearest" }});
                const box = element.getBoundingClientRect();
                const at = {{ x: box.x + box.width / 2, y: box.y + box.height / 2 }};
                return element.contains(document.elementFromPoint(at.x, at.y)) ? at : null;
            }})()""",
            f"{selector} can be clicked",
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.tell("Input.dispatchMouseEvent", type=kind, **place, button="left", clickCount=1)

    def press(self, key: str) -> None:
        """Presses a key of the keyboard."""
        text = {"text": "\r" if key == "Enter" else key} if key == "Enter" or len(key) == 1 else {}
        codes = {"Enter": 13, "Tab": 9}
        code = {"windowsVirtualKeyCode": codes[key]} if key in codes else {}
        self.tell("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **code)
        self.tell("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

    def write(self, text: str) -> None:
        """Writes into what has the focus."""
        self.tell("Input.insertText", text=text)

    def looks(self, width: int, height: int, scheme: str) -> None:
        """Gives the page a size in pixels, and `light` or `dark`."""
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, name: str) -> None:
        """Keeps a picture of the page in the browser's folder."""
        try:
            picture = self.tell("Page.captureScreenshot")["data"]
        except check.Failed:
            return
        (self.folder / f"{name}.png").write_bytes(base64.b64decode(picture))

    def hear(self) -> None:
        """Keeps what the page's call sounds like from now on."""
        self.evaluate(HEAR)

    def heard(self) -> tuple[audio.Sound, int]:
        """What the page has heard since, and how many samples a second that has."""
        self.wait("heard.rate > 0", "the page hears something")
        # What was sent last may still wait in the browser's jitter buffer.
        enough = self.evaluate(f"heard.length + {AFTER} * heard.rate")
        self.wait(f"heard.length >= {enough}", "the page hears more")
        told = self.evaluate(HEARD)
        return np.frombuffer(base64.b64decode(told["samples"]), dtype="<i2").astype(np.float64), told["rate"]

    def _attach(self) -> str:
        def page() -> str | None:
            targets = self._tell("Target.getTargets", {}, {})["targetInfos"]
            return next((target["targetId"] for target in targets if target["type"] == "page"), None)

        target = check.soon(page, "a page of the browser")
        return str(self._tell("Target.attachToTarget", {"targetId": target, "flatten": True}, {})["sessionId"])

    def _tell(self, method: str, parameters: dict[str, Any], session: dict[str, str]) -> Any:
        with self._changed:
            self._last += 1
            number = self._last
        message = {"id": number, "method": method, "params": parameters} | session
        try:
            os.write(self._commands, json.dumps(message).encode() + b"\0")
        except BrokenPipeError:
            raise check.Failed(f"the browser ended:\n{self._running.tail()}") from None
        deadline = time.monotonic() + check.PATIENCE
        with self._changed:
            while number not in self._answers:
                left = deadline - time.monotonic()
                if self._ended or left <= 0 or not self._changed.wait(left):
                    raise check.Failed(f"the browser did not answer {method}:\n{self._running.tail()}")
            answer = self._answers.pop(number)
        if "error" in answer:
            why = answer["error"].get("message")
            raise (Went if why in WENT else check.Failed)(f"{method}: {why}")
        return answer["result"]

    def _read(self) -> None:
        with os.fdopen(self._told, "rb") as told:
            rest = b""
            while piece := told.read1(1 << 16):
                *whole, rest = (rest + piece).split(b"\0")
                for message in whole:
                    self._take(json.loads(message))
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        with self._changed:
            if "id" in message:
                self._answers[message["id"]] = message
                self._changed.notify_all()
        parameters = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.wrong.append(_words(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "assert"):
                self.wrong.append(json.dumps(parameters["args"]))
            # Answers that are no success are the page's own business.
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                if parameters["entry"]["source"] != "network":
                    self.wrong.append(parameters["entry"]["text"])


def _words(details: dict[str, Any]) -> str:
    return str(details.get("exception", {}).get("description") or details.get("text"))
