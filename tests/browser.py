"""A headless Chromium for tests: a client of the W3C WebDriver protocol, in the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

KEYS = {
    "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013",
    "ArrowRight": "\ue014",
    "ArrowDown": "\ue015",
    "Home": "\ue011",
    "End": "\ue010",
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Escape": "\ue00c",
}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def require_browser() -> None:
    """Skip where there is no browser, with the reason; fail instead where CI says that there must be one."""
    missing = [program for program in ("chromium", "chromedriver") if shutil.which(program) is None]
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"CI must have {' and '.join(missing)}: apt-get install chromium chromium-driver")
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} on PATH, so pages are not tried in a browser")


class Browser:
    """A browser with one window. As a context manager it ends with the block."""

    def __enter__(self) -> Browser:
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.driver = subprocess.Popen(
            [shutil.which("chromedriver") or "chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.driver.stdout is not None
        line = ""
        while "on port" not in line or "started" not in line:
            line = self.driver.stdout.readline()
            assert line, "chromedriver ended before it listened"
        port = line.split("on port ")[1].split()[0].strip(".")
        self.base = f"http://127.0.0.1:{port}/session"
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--window-size=1280,900",
        ]
        options = {
            "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": [*flags, f"--user-data-dir={self.profile.name}"]},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        session = self.call("POST", "", {"capabilities": {"alwaysMatch": options}})
        self.base += f"/{session['sessionId']}"
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(10)
            if self.driver.stdout is not None:
                self.driver.stdout.close()
            self.profile.cleanup()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send one command and return its value."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from None

    def open(self, url: str) -> None:
        """Go to an address, with empty logs."""
        self.call("POST", "/url", {"url": "about:blank"})
        self.messages()
        self.requests()
        self.call("POST", "/url", {"url": url})

    def run(self, script: str, *args: Any) -> Any:
        """Run JavaScript in the page and return its value."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def text(self, selector: str) -> str:
        """Return the text of an element."""
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def press(self, *keys: str) -> None:
        """Press keys one after the other, as a user would, wherever the focus is; again where a busy browser has lost one."""
        for key in keys:
            self.run("window.heard = false; addEventListener('keydown', () => (window.heard = true), {capture: true, once: true})")
            for _ in range(3):
                actions = [{"type": kind, "value": KEYS.get(key, key)} for kind in ("keyDown", "keyUp")]
                self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})
                end = time.monotonic() + 2
                while not (heard := self.run("return window.heard !== false")) and time.monotonic() < end:
                    time.sleep(0.02)
                if heard:
                    break

    def click(self, selector: str) -> None:
        """Click the middle of an element, as a user would."""
        element = self.call("POST", "/element", {"using": "css selector", "value": selector})
        self.call("POST", f"/element/{element[ELEMENT]}/click", {})

    def emulate(self, scheme: str = "light", scripts: bool = True, width: int = 0) -> None:
        """Prefer light or dark, run scripts or not, on a screen of a width: below 500 a telephone, for fingers; 0 for the window itself."""
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.devtools("Emulation.setScriptExecutionDisabled", value=not scripts)
        telephone = 0 < width < 500
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=900 * bool(width), deviceScaleFactor=1, mobile=telephone)
        self.devtools("Emulation.setTouchEmulationEnabled", enabled=telephone)

    def devtools(self, command: str, **parameters: Any) -> Any:
        """Send a command of Chromium's own protocol."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self) -> bytes:
        """Return what the window shows, as PNG."""
        return base64.b64decode(self.call("GET", "/screenshot"))

    def messages(self) -> list[str]:
        """Return what the console has said since the last call."""
        return [entry["message"] for entry in self.call("POST", "/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the last call."""
        time.sleep(0.1)
        events = [json.loads(entry["message"])["message"] for entry in self.call("POST", "/se/log", {"type": "performance"})]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
