# SPDX-License-Identifier: Apache-2.0
"""What a cold visit of the explorer costs: requests and bytes over the network, in a real Chromium with an empty cache.

`python -m bench.visit http://127.0.0.1:9120/ [how many of the largest are listed]`
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from tests.support.explorer import chromium

_SETTLED_MS = 6000


class Visit(NamedTuple):
    """Bytes as they went over the network, by address; what is asked again and again counts once."""

    sizes: dict[str, int]
    errors: list[str]

    @property
    def size(self) -> int:
        return sum(self.sizes.values())


def visit(browser: Any, url: str, settled_ms: int = _SETTLED_MS) -> Visit:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    asked: dict[str, str] = {}
    sizes: dict[str, int] = {}
    errors: list[str] = []

    def began(event: dict[str, Any]) -> None:
        asked.setdefault(event["requestId"], event["request"]["url"])

    def finished(event: dict[str, Any]) -> None:
        address = asked.get(event["requestId"], "")
        if address.startswith("http"):
            sizes.setdefault(address, event["encodedDataLength"])

    def said(message: Any) -> None:
        if message.type == "error":
            errors.append(message.text)

    session.on("Network.requestWillBeSent", began)
    session.on("Network.loadingFinished", finished)
    page.on("console", said)
    page.goto(url)
    page.wait_for_timeout(settled_ms)
    context.close()
    return Visit(sizes, errors)


def main() -> None:
    url, most = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with chromium() as browser:
        seen = visit(browser, url)
    print(f"{len(seen.sizes)} requests, {seen.size:,} bytes; errors: {seen.errors or 'none'}")
    for address, size in sorted(seen.sizes.items(), key=lambda item: -item[1])[:most]:
        print(f"{size:>9,} {address.split('/', 3)[3]}")


if __name__ == "__main__":
    main()
