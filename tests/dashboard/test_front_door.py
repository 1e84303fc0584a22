# SPDX-License-Identifier: Apache-2.0
"""What stands before Streamlit: the page's own HTML, over plain HTTP."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import threading
import time
from pathlib import Path
from typing import NamedTuple, cast

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from peeps_dashboard.api import Findings
from peeps_dashboard.client import Collector, CollectorError
from peeps_dashboard.front import bundle, shell
from peeps_dashboard.front.board import Board
from peeps_dashboard.front.door import FrontDoor
from peeps_dashboard.launch import PAGES
from peeps_dashboard.view.editor import Editor
from tests.dashboard.fake_api import FakeApi
from tests.dashboard.streamlit_folder import STREAMLIT_FOLDER
from tests.support.network import free_port

STATIC = STREAMLIT_FOLDER / "static"


async def streamlits(scope: Scope, receive: Receive, send: Send) -> None:
    """In the place of Streamlit: says the path it was asked for."""
    await Response(f"streamlit: {scope['path']}")(scope, receive, send)


class Answer(NamedTuple):
    status_code: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


class Browser:
    """Asks the door on one event loop, as a server would."""

    def __init__(self, door: FrontDoor, host: str) -> None:
        self._door, self._host = door, host
        self._runner = asyncio.Runner()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def get(self, address: str, headers: dict[str, str] | None = None, method: str = "GET") -> Answer:
        return self._runner.run(self._ask(address, headers or {}, method))

    async def _ask(self, address: str, headers: dict[str, str], method: str) -> Answer:
        path, _, query = address.partition("?")
        pairs = [(b"host", self._host.encode()), *((k.encode(), v.encode()) for k, v in headers.items())]
        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": pairs}
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._door(scope, receive, send)
        told = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return Answer(sent[0]["status"], told, b"".join(part.get("body", b"") for part in sent[1:]))


def client(address: str, host: str = "127.0.0.1") -> Browser:
    parted = shell.part(STATIC)
    assert parted is not None, "Streamlit's page has changed: the verdict does not stand in it any more"
    board = Board(Collector(address), Editor())
    hosts = ["127.0.0.1", "localhost"]
    return Browser(FrontDoor(streamlits, board=board, shell=parted, pages=PAGES, static=STATIC, hosts=hosts), host)


def warm(browser: Browser, address: str = "/peeps/card") -> str:
    """The card once the collector was asked, which one request does not wait for on a busy machine."""
    for _ in range(200):
        text = browser.get(address).text
        if "Asking the collector" not in text:
            return text
        time.sleep(0.05)
    raise AssertionError("the collector does not answer")


def test_the_page_has_the_verdict_in_its_own_html(api: FakeApi) -> None:
    with client(api.address) as browser:
        warm(browser)
        for path, _ in PAGES:
            page = browser.get(f"/{path}")
            assert page.status_code == 200
            body = page.text.partition("<body>")[2]
            assert re.search(r"<h1><strong>DEADLOCK, PROVEN, 4\d s:</strong> worker-a waits for Lock db", body)
            assert "async with self.cache:" in body
            assert body.index("<h1>") < body.index('<div id="root"></div>')
            policy = page.headers["content-security-policy"]
            nonce = re.search(r"'nonce-([\w-]+)'", policy)
            assert nonce is not None
            assert set(re.findall(r"<script(.*?)>", page.text)) == {f' nonce="{nonce[1]}"'}
            assert page.headers["cache-control"] == "no-store"


def test_hostile_names_do_not_leave_the_text(api: FakeApi) -> None:
    api.show("hostile")
    with client(api.address) as browser:
        warm(browser)
        body = browser.get("/").text.partition("<body>")[2]
        assert "&lt;script&gt;alert(1)" in body
        assert "<script>alert" not in body
        assert "<img" not in body


def test_the_card_alone_and_not_again_where_nothing_has_changed(api: FakeApi) -> None:
    api.world.ticking = False
    with client(api.address) as browser:
        warm(browser)
        first = browser.get("/peeps/card?finding=deadlock:0000000000000001")
        assert first.text.startswith('<section class="pc ')
        again = browser.get(
            "/peeps/card?finding=deadlock:0000000000000001", headers={"if-none-match": first.headers["etag"]}
        )
        assert (again.status_code, again.text) == (304, "")


def test_a_link_into_the_past_has_the_card_of_then(api: FakeApi) -> None:
    api.world.ticking = False
    then_ns = api.world.now_ns + 57_000_000_000
    with client(api.address) as browser:
        text = warm(browser, f"/peeps/card?at={then_ns}")
        assert "DEADLOCK, PROVEN, 1 min 40 s" in text
        assert "as it was at " in text
        assert "DEADLOCK, PROVEN, 43 s" in warm(browser, "/peeps/card?at=soon")


def test_everybody_within_half_a_second_has_one_look(api: FakeApi) -> None:
    board = Board(Collector(api.address), Editor(), clock=lambda: 7.0)

    async def visitors() -> set[str]:
        await board.card("")
        while "Asking" in (await board.card("")):
            await asyncio.sleep(0.05)
        return {await board.card("") for _ in range(50)}

    assert len(asyncio.run(visitors())) == 1
    assert api.requests == {"/api/findings": 1, "/api/processes": 1}


def test_a_collector_that_hangs_does_not_keep_the_page() -> None:
    free = threading.Event()

    class Hangs:
        def findings(self) -> Findings:
            free.wait(30)
            raise CollectorError("unreachable", "a", "b")

    async def visit() -> str:
        text = await Board(cast(Collector, Hangs()), Editor()).card("")
        free.set()
        return text

    assert "Asking the collector" in asyncio.run(visit())


def test_the_last_verdict_stays_with_its_time_when_the_collector_is_gone(api: FakeApi) -> None:
    times = iter(range(0, 10_000, 10))
    board = Board(Collector(api.address), Editor(), clock=lambda: next(times))

    async def card(word: str) -> str:
        text = ""
        for _ in range(200):
            text = await board.card("")
            if word in text:
                return text
            await asyncio.sleep(0.05)
        raise AssertionError(text)

    async def story() -> str:
        await card("DEADLOCK")
        api.close()
        return await card("This is the last verdict, of ")

    text = asyncio.run(story())
    assert "worker-a waits for Lock db" in text
    assert "pc-gray" in text


def test_a_collector_that_was_never_there_is_said() -> None:
    with client(f"127.0.0.1:{free_port()}") as browser:
        assert "The collector does not answer" in warm(browser)


def test_a_foreign_name_sees_nothing(api: FakeApi) -> None:
    with client(api.address, host="evil.example") as browser:
        for path in ("/", "/graph", "/peeps/card"):
            answer = browser.get(path)
            assert (answer.status_code, answer.text) == (421, "This name is not allowed here.")


def test_the_rest_goes_through_untouched(api: FakeApi) -> None:
    with client(api.address) as browser:
        for path in ("/_stcore/health", "/verdict", "/graph/x", "/static/js/none.js", "/static/../index.html"):
            assert browser.get(path).text.startswith("streamlit: ")
        assert browser.get("/", method="POST").text == "streamlit: /"


def test_static_files_come_compressed_and_whole(api: FakeApi) -> None:
    entry = next((STATIC / "static/js").glob("index.*.js"))
    with client(api.address) as browser:
        path = f"/static/js/{entry.name}"
        packed = browser.get(path, headers={"accept-encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.content) == entry.read_bytes()
        plain = browser.get(path, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == entry.read_bytes()


def test_small_scripts_come_as_one_file_whose_imports_the_page_maps(api: FakeApi) -> None:
    parted = shell.part(STATIC)
    assert parted is not None
    with client(api.address) as browser:
        assert json.dumps(parted.bundle.path) in browser.get("/").text
        answer = browser.get(parted.bundle.path, headers={"accept-encoding": "gzip"})
    assert (answer.headers["content-type"], answer.headers["content-encoding"]) == ("application/json", "gzip")
    assert "immutable" in answer.headers["cache-control"]
    texts: dict[str, str] = json.loads(gzip.decompress(answer.content))
    assert len(texts) > 60
    listed = {Path(one).name for one in parted.scripts}
    assert not listed & texts.keys(), "what is in the file is not to be fetched once more"
    for name, text in texts.items():
        whole = (STATIC / "static/js" / name).read_text()
        assert text.replace("pp-static/", "./") == whole, "nothing but the places of imports is changed"
        for found in re.findall(r"pp-static/([\w.$-]+)", text):
            assert (STATIC / "static/js" / found).is_file()


def test_a_script_that_asks_where_it_is_stays_a_file_of_its_own(tmp_path: Path) -> None:
    for name, text in {
        "a.1.js": 'import{x as y}from"./b.2.js";import"./c.3.js";let z=import(`./late.4.js`);',
        "b.2.js": "export let x=import.meta.url;",
        "c.3.js": 'import"elsewhere";',
        "late.4.js": "1",
        "Html.5.js": "2" * 30_000,
    }.items():
        (tmp_path / name).write_text(text)
    made = bundle.of(tmp_path, ["a.1.js", "gone.js"])
    assert json.loads(made.body) == {
        "a.1.js": 'import{x as y}from"pp-static/b.2.js";import"pp-static/c.3.js";let z=import(`pp-static/late.4.js`);'
    }
    assert made.names == {"a.1.js"}
    (tmp_path / "a.1.js").write_text("3")
    assert bundle.of(tmp_path, ["a.1.js"]).path != made.path


@pytest.mark.parametrize("text", ["", "<html><head></head><body></body></html>", '<head><div id="root"></div>'])
def test_a_page_that_has_changed_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.html").write_text(text)
    assert shell.part(tmp_path) is None
    assert shell.part(tmp_path / "nowhere") is None
