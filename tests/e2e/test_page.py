"""The page in a real browser: somebody speaks, and reads what was said."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from asr_service.domain.value_objects.transcript import join_texts
from tests.fixtures.breakable_proxy import Network, breakable_network
from tests.fixtures.browser import Witness, opened_page
from tests.fixtures.recordings import Clip, write_wav
from tests.fixtures.server import RunningServer, eventually
from tests.fixtures.transcoding import transcoded

TEXT_TIMEOUT_MS = 30_000

OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(server: RunningServer) -> Iterator[OpenPage]:
    """Opens the page; at the end of the test, nothing may have gone wrong in it, and no other host been asked."""
    witnesses: list[Witness] = []
    with ExitStack() as browsers:

        def open_page(microphone: Path | None = None, **context: Any) -> Page:
            page, witness = browsers.enter_context(opened_page(server.http_url, microphone, **context))
            witnesses.append(witness)
            return page

        yield open_page
    for witness in witnesses:
        assert witness.complaints == []
        assert witness.hosts == {server.http_url.removeprefix("http://")}


@pytest.fixture
def network(server: RunningServer) -> Iterator[Network]:
    """Between a browser and the server."""
    with breakable_network(server.http_url) as network:
        yield network


def spoken(page: Page) -> list[str]:
    """The finals that the page shows."""
    return [line.inner_text() for line in page.locator("#finals li > span").all()]


def downloaded(page: Page, button: str) -> tuple[str, str]:
    """Name and content of the file that a button gives."""
    with page.expect_download() as download:
        page.click(button)
    return download.value.suggested_filename, Path(download.value.path()).read_text(encoding="utf-8")


def test_speech_into_the_microphone_is_read_while_it_is_spoken(
    open_page: OpenPage, english_clip: Clip, screenshots: Path
) -> None:
    page = open_page(english_clip.path, viewport={"width": 1000, "height": 640})
    expect(page.get_by_role("heading", name="asr-service")).to_be_visible()
    expect(page.locator("#empty")).to_be_visible()

    page.get_by_role("button", name="Start speaking").click()
    expect(page.locator("#partial")).to_be_visible(timeout=TEXT_TIMEOUT_MS)
    expect(page.locator("#partial")).to_contain_text(re.compile(r"\w{3}"))
    expect(page.locator("#level")).to_be_visible()
    page.screenshot(path=screenshots / "speaking.png")
    expect(page.locator("#finals li")).to_have_count(2, timeout=TEXT_TIMEOUT_MS)
    page.get_by_role("button", name="Stop").click()

    expect(page.locator("#status")).to_have_text(re.compile(r"^Done: \d+\.\d s of audio\.$"))
    expect(page.get_by_role("button", name="Start speaking")).to_be_enabled()
    assert english_clip.errors_in(" ".join(spoken(page))) <= 0.1, spoken(page)
    assert page.locator("#partial").is_hidden()
    page.screenshot(path=screenshots / "spoken.png")


def test_a_second_recording_on_the_same_page_continues_the_transcript(
    open_page: OpenPage, short_english_clip: Clip, mandarin_clip: Clip
) -> None:
    page = open_page()
    for clip, lines in ((short_english_clip, 1), (mandarin_clip, 3)):
        page.set_input_files("#file", clip.path)
        expect(page.locator("#finals li")).to_have_count(lines, timeout=TEXT_TIMEOUT_MS)
        expect(page.locator("#status")).to_contain_text("Done")

    english, *mandarin = spoken(page)
    assert short_english_clip.errors_in(english) == 0
    assert mandarin_clip.errors_in("".join(mandarin)) <= 0.1
    name, text = downloaded(page, "#download-text")
    assert (name, text) == ("transcript.txt", join_texts([english, *mandarin]) + "\n")
    page.click("#copy")
    expect(page.locator("#status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == text.strip()
    name, subtitles = downloaded(page, "#download-subtitles")
    cues = re.findall(r"(\d+)\n(\S+) --> (\S+)\n(.+)\n", subtitles)
    assert name == "transcript.srt"
    assert [cue[0] for cue in cues] == ["1", "2", "3"]
    assert [cue[3] for cue in cues] == [english, *mandarin]
    times = [time for cue in cues for time in cue[1:3]]
    assert times == sorted(times)
    page.click("#clear")
    expect(page.locator("#empty")).to_be_visible()
    assert spoken(page) == []


def test_a_recording_that_is_dropped_on_the_page_is_read(open_page: OpenPage, mandarin_clip: Clip) -> None:
    page = open_page()
    file = page.evaluate_handle(
        """(bytes) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "interview.webm"));
            return transfer;
        }""",
        list(transcoded(mandarin_clip.path, "webm")),
    )
    page.dispatch_event("body", "dragover", {"dataTransfer": file})
    expect(page.locator("#drop")).to_be_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": file})

    expect(page.locator("#status")).to_contain_text("Done", timeout=TEXT_TIMEOUT_MS)
    assert mandarin_clip.errors_in("".join(spoken(page))) <= 0.1
    assert page.locator("#drop").is_hidden()


def test_the_page_speaks_chinese_to_those_who_do(open_page: OpenPage, mandarin_clip: Clip, screenshots: Path) -> None:
    page = open_page(mandarin_clip.path, locale="zh-CN", viewport={"width": 360, "height": 740})

    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.select_option("#language", "zh")
    page.get_by_role("button", name="开始说话").click()
    expect(page.locator("#finals li")).to_have_count(2, timeout=TEXT_TIMEOUT_MS)
    page.get_by_role("button", name="停止").click()
    expect(page.locator("#status")).to_contain_text("完成")
    page.screenshot(path=screenshots / "chinese-narrow.png")

    assert mandarin_clip.errors_in("".join(spoken(page))) <= 0.1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="English").click()
    expect(page.locator("#status")).to_contain_text("Done")
    page.reload()
    expect(page.get_by_role("button", name="Start speaking")).to_be_visible()  # the choice is remembered


def test_what_is_no_recording_is_explained_and_the_page_goes_on(
    open_page: OpenPage, short_english_clip: Clip, tmp_path: Path
) -> None:
    page = open_page()
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear server, this is no recording.\n" * 100)

    page.set_input_files("#file", letter)
    expect(page.locator("#problem")).to_contain_text("recording", timeout=TEXT_TIMEOUT_MS)
    page.set_input_files("#file", short_english_clip.path)
    expect(page.locator("#finals li")).to_have_count(1, timeout=TEXT_TIMEOUT_MS)

    assert page.locator("#problem").is_hidden()
    assert short_english_clip.errors_in(spoken(page)[0]) == 0


def test_a_recording_that_is_taken_back_costs_the_server_nothing_more(
    open_page: OpenPage, server: RunningServer, english_clip: Clip, tmp_path: Path
) -> None:
    lecture = tmp_path / "lecture.wav"
    write_wav(lecture, english_clip.pcm * 50)  # ten minutes
    page = open_page()

    page.set_input_files("#file", lecture)
    expect(page.locator("#finals li").first).to_be_visible(timeout=TEXT_TIMEOUT_MS)
    page.get_by_role("button", name="Cancel").click()

    expect(page.get_by_role("button", name="Start speaking")).to_be_enabled()
    assert 0 < len(spoken(page)) < 100  # what was read is kept
    assert page.locator("#problem").is_hidden()
    eventually(lambda: server.metric("asr_sessions_active") == 0, "the session is freed")


def complaints_of_a_cut(witness: Witness) -> list[str]:
    """What else the browser complains of; it always tells of connections that cannot be made."""
    return [complaint for complaint in witness.complaints if "WebSocket connection to" not in complaint]


def test_speech_goes_on_while_the_connection_is_lost(
    network: Network, english_clip: Clip, screenshots: Path, tmp_path: Path
) -> None:
    twice = tmp_path / "twice.wav"
    write_wav(twice, english_clip.pcm * 2)
    with opened_page(network.url, twice, viewport={"width": 1000, "height": 640}) as (page, witness):
        page.get_by_role("button", name="Start speaking").click()
        expect(page.locator("#finals li")).to_have_count(1, timeout=TEXT_TIMEOUT_MS)
        network.fail()
        expect(page.locator("#status")).to_contain_text("reconnecting")
        expect(page.locator("#level")).to_be_visible()
        page.screenshot(path=screenshots / "reconnecting.png")
        page.get_by_role("button", name="中文").click()
        expect(page.locator("#status")).to_contain_text("正在重新连接")
        page.get_by_role("button", name="English").click()
        network.mend()
        expect(page.locator("#status")).to_have_text("Listening. Speak!")
        expect(page.locator("#finals li")).to_have_count(2, timeout=TEXT_TIMEOUT_MS)
        network.cut()
        expect(page.locator("#finals li")).to_have_count(4, timeout=TEXT_TIMEOUT_MS)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#status")).to_contain_text("Done")

        finals = spoken(page)
        assert english_clip.errors_in(" ".join(finals[:2])) <= 0.1, finals
        assert english_clip.errors_in(" ".join(finals[2:])) <= 0.1, finals
        assert complaints_of_a_cut(witness) == []


def test_a_recording_is_read_whole_although_the_connection_is_lost(
    network: Network, english_clip: Clip, tmp_path: Path
) -> None:
    lecture = tmp_path / "lecture.wav"
    write_wav(lecture, english_clip.pcm * 8)  # so long that it is not read before the loss
    with opened_page(network.url) as (page, witness):
        page.select_option("#language", "en")
        page.set_input_files("#file", lecture)
        expect(page.locator("#finals li").nth(1)).to_be_visible(timeout=TEXT_TIMEOUT_MS)
        network.fail()
        expect(page.locator("#status")).to_contain_text("reconnecting")
        assert 2 <= len(spoken(page)) < 16
        network.mend()
        expect(page.locator("#status")).to_contain_text("Done", timeout=2 * TEXT_TIMEOUT_MS)

        finals = spoken(page)
        assert len(finals) == 16, finals
        for first, second in zip(finals[::2], finals[1::2], strict=True):
            assert english_clip.errors_in(f"{first} {second}") <= 0.1
        assert complaints_of_a_cut(witness) == []


def test_a_stream_whose_connection_does_not_come_back_can_be_taken_back(
    network: Network, short_english_clip: Clip
) -> None:
    with opened_page(network.url, short_english_clip.path) as (page, _):
        page.get_by_role("button", name="Start speaking").click()
        expect(page.locator("#status")).to_have_text("Listening. Speak!")
        network.fail()
        expect(page.locator("#status")).to_contain_text("reconnecting")
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("button", name="Start speaking")).to_be_enabled()
        assert page.locator("#problem").is_hidden()
