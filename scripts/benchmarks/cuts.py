"""Recordings cut right before their first and right after their last word, and stopped while audio is waiting."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer

from scripts.benchmarks.answers import Answer, heard
from scripts.benchmarks.clips import Clip, normalize, read_manifest
from scripts.benchmarks.funasr_session import funasr_text
from scripts.benchmarks.native_session import Pace
from scripts.benchmarks.recordings import BYTES_PER_MS, canonical_pcm, silence
from scripts.benchmarks.service_process import ServiceProcess
from scripts.benchmarks.speech_edges import sound_end_ms, sound_start_ms

_STEP_MS = 20
_END_OFFSETS_MS = range(0, 201, _STEP_MS)
_TRAILING_SILENCE_MS = (0, 50, 200)
_START_OFFSETS_MS = range(0, 101, _STEP_MS)
_LEADING_SILENCE_MS = (0, 5_000, 30_000)
_LONGEST_CLIP_S = 15.0
_QUEUED_S = 30.0
_FUNASR_CLIPS = 4  # of each language
_SESSIONS_AT_ONCE = 4
_SEED = 20_231_123


@dataclass(frozen=True, slots=True)
class Whole:
    """A recording, and what is heard in the whole of it: its first and last words are right.

    Attributes:
        words: The normalized text: words in English, characters in Mandarin.
        start_ms: Where the sound of the first word begins.
        end_ms: Where the sound of the last word ends.
    """

    clip: Clip
    pcm: bytes
    words: tuple[str, ...]
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Cut:
    """One way to cut one recording: at its ``start`` or its ``end``.

    Attributes:
        offset_ms: Audio that is kept before the first, or after the last word.
        silence_ms: Digital silence before or after that.
    """

    whole: Whole
    edge: str
    offset_ms: int
    silence_ms: int

    @property
    def pcm(self) -> bytes:
        """The audio that is left."""
        if self.edge == "end":
            until = (self.whole.end_ms + self.offset_ms) * BYTES_PER_MS
            return self.whole.pcm[:until] + silence(self.silence_ms)
        first = (self.whole.start_ms - self.offset_ms) * BYTES_PER_MS
        return silence(self.silence_ms) + self.whole.pcm[first:]


async def run_cuts(service: ServiceProcess, folder: Path, scratch: Path, count: int) -> dict[str, Any]:
    """So many cuts at the ends and as many at the starts of recordings, and stops with audio still waiting."""
    clips = [clip for clip in read_manifest(folder, scratch) if clip.seconds <= _LONGEST_CLIP_S]
    places = asyncio.Semaphore(_SESSIONS_AT_ONCE)

    async def hear(clip: Clip, pcm: bytes) -> Answer:
        async with places:
            return await heard(service.stream_url, pcm, language=clip.group)

    async def judge(cut: Cut) -> dict[str, Any]:
        return verdict(cut, await hear(cut.whole.clip, cut.pcm))

    pcms = [canonical_pcm(clip.path) for clip in clips]
    answers = await asyncio.gather(*map(hear, clips, pcms))
    wholes = [whole for whole in map(_whole, clips, pcms, answers) if whole is not None]
    cuts = chosen([cut for whole in wholes for cut in end_cuts(whole)], count)
    cuts += chosen([cut for whole in wholes for cut in start_cuts(whole)], count)
    verdicts = await asyncio.gather(*map(judge, cuts))
    queued = await asyncio.gather(*(_queued_stop(service, wholes, group) for group in ("en", "zh")))
    return summary(wholes, verdicts, queued, await _funasr_stops(service, wholes))


def _whole(clip: Clip, pcm: bytes, answer: Answer) -> Whole | None:
    """``None`` when the first or the last word of the recording is not heard rightly even in the whole of it."""
    heard_words, reference = _words(answer.text, clip.group), _words(clip.reference, clip.group)
    if answer.fault or not heard_words or (heard_words[0], heard_words[-1]) != (reference[0], reference[-1]):
        return None
    first, last = answer.words[0], answer.words[-1]
    start_ms = sound_start_ms(pcm, first["start_ms"], first["end_ms"])
    return Whole(clip, pcm, heard_words, start_ms, sound_end_ms(pcm, last["start_ms"], last["end_ms"]))


def _words(text: str, group: str) -> tuple[str, ...]:
    normalized = normalize(text, group)
    return tuple(normalized) if group == "zh" else tuple(normalized.split())


def end_cuts(whole: Whole) -> list[Cut]:
    """All ways to cut after the last word that the recording is long enough for."""
    room_ms = len(whole.pcm) // BYTES_PER_MS - whole.end_ms
    offsets_ms = [offset_ms for offset_ms in _END_OFFSETS_MS if offset_ms <= room_ms]
    return [Cut(whole, "end", offset_ms, silence_ms) for offset_ms in offsets_ms for silence_ms in _TRAILING_SILENCE_MS]


def start_cuts(whole: Whole) -> list[Cut]:
    """All ways to cut before the first word that the recording has room for."""
    offsets_ms = [offset_ms for offset_ms in _START_OFFSETS_MS if offset_ms <= whole.start_ms]
    return [
        Cut(whole, "start", offset_ms, silence_ms) for offset_ms in offsets_ms for silence_ms in _LEADING_SILENCE_MS
    ]


def chosen(cuts: Sequence[Cut], count: int) -> list[Cut]:
    """So many of them, always the same."""
    return random.Random(_SEED).sample(cuts, min(count, len(cuts)))  # noqa: S311 - it need not be unpredictable


def verdict(cut: Cut, answer: Answer) -> dict[str, Any]:
    """What became of the word at the edge: ``kept``, ``misheard`` (another word is in its place), or ``lost``.

    The text of the cut is aligned with that of the whole recording; a word to which nothing is aligned is lost.
    """
    said = _words(answer.text, cut.whole.clip.group)
    fates = word_fates(cut.whole.words, said)
    return {
        "file": cut.whole.clip.name,
        "edge": cut.edge,
        "offset_ms": cut.offset_ms,
        "silence_ms": cut.silence_ms,
        "outcome": fates[-1] if cut.edge == "end" else fates[0],
        "words_lost": fates.count("lost"),
        "expected": " ".join(cut.whole.words),
        "heard": " ".join(said),
        "fault": answer.fault,
    }


def word_fates(expected: Sequence[str], said: Sequence[str]) -> list[str]:
    """``kept``, ``misheard`` or ``lost`` for each expected word."""
    if not said:
        return ["lost"] * len(expected)
    # Joined by spaces, characters are words to jiwer as well.
    alignment = jiwer.process_words(" ".join(expected), " ".join(said)).alignments[0]
    names = {"equal": "kept", "substitute": "misheard", "delete": "lost"}
    fates = []
    for chunk in alignment:
        if chunk.type != "insert":
            fates += [names[chunk.type]] * (chunk.ref_end_idx - chunk.ref_start_idx)
    return fates


async def _queued_stop(service: ServiceProcess, wholes: Sequence[Whole], group: str) -> dict[str, Any]:
    """Half a minute of speech and the end at once, beside the same audio at the speed of speech."""
    pcm = b""
    for whole in (whole for whole in wholes if whole.clip.group == group):
        if len(pcm) < _QUEUED_S * 1_000 * BYTES_PER_MS:
            pcm += whole.pcm + silence(600)
    at_once = await heard(service.stream_url, pcm, language=group)
    spoken = await heard(service.stream_url, pcm, Pace(real_time=True), language=group)
    fates = word_fates(_words(spoken.text, group), _words(at_once.text, group))
    return {
        "language": group,
        "seconds": round(len(pcm) / BYTES_PER_MS / 1_000, 1),
        "words": len(fates),
        "words_lost": fates.count("lost"),
        "same_text": at_once.text == spoken.text,
        "fault": at_once.fault or spoken.fault,
    }


async def _funasr_stops(service: ServiceProcess, wholes: Sequence[Whole]) -> list[dict[str, Any]]:
    """Recordings that end with their last word, over FunASR's protocol, with its stop."""
    results = []
    for group in ("en", "zh"):
        for whole in [whole for whole in wholes if whole.clip.group == group][:_FUNASR_CLIPS]:
            cut = Cut(whole, "end", 0, 0)
            for mode in ("2pass", "offline", "online"):
                text = await funasr_text(service.http_url.replace("http", "ws"), cut.pcm, mode, group)
                results.append(verdict(cut, Answer(({"text": text, "words": []},), "")) | {"mode": mode})
    return results


def summary(
    wholes: Sequence[Whole],
    verdicts: Sequence[dict[str, Any]],
    queued: Sequence[dict[str, Any]],
    funasr: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Outcomes by edge and language, and each lost word as a defect."""
    groups = {whole.clip.name: whole.clip.group for whole in wholes}
    outcomes: dict[str, Counter[str]] = {}
    for it in verdicts:
        outcomes.setdefault(f"{it['edge']}, {groups[it['file']]}", Counter())[it["outcome"]] += 1
    defects = [f"{it['file']}: {it['fault']}" for it in (*verdicts, *funasr) if it["fault"]]
    defects += [
        f"the word at the {it['edge']} of {it['file']} is lost ({it['offset_ms']} ms kept, {it['silence_ms']} ms of silence,"
        f" {it.get('mode', 'native')}): {it['expected']} | {it['heard']}"
        for it in (*verdicts, *funasr)
        if it["outcome"] == "lost"
    ]
    defects += [
        f"stop with audio waiting: {it}" for it in queued if it["words_lost"] or it["fault"] or not it["same_text"]
    ]
    return {
        "recordings": len(wholes),
        "outcomes": {name: dict(counts) for name, counts in sorted(outcomes.items())},
        "words_lost_elsewhere": sum(it["words_lost"] - (it["outcome"] == "lost") for it in verdicts),
        "funasr_outcomes": dict(Counter(it["outcome"] for it in funasr)),
        "queued_stops": list(queued),
        "defects": defects,
        "edges_ms": {whole.clip.name: [whole.start_ms, whole.end_ms] for whole in wholes},
        "cuts": list(map(dict, verdicts)),
        "funasr": list(map(dict, funasr)),
    }


def markdown(report: dict[str, Any]) -> str:
    """The outcomes as a table, and the words that were not kept."""
    rows = [
        f"| {name} | {sum(counts.values())} | {counts.get('kept', 0)} | {counts.get('misheard', 0)} | {counts.get('lost', 0)} |"
        for name, counts in report["outcomes"].items()
    ]
    changed = [
        f"- {it['outcome']}: {it['file']}, {it['edge']} + {it['offset_ms']} ms, {it['silence_ms']} ms of silence:"
        f" {it['expected']} | {it['heard']}"
        for it in report["cuts"]
        if it["outcome"] != "kept" or it["words_lost"]
    ]
    return "\n".join(
        (
            "| cut at | cuts | kept | misheard | lost |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"{report['recordings']} recordings; words lost elsewhere in them: {report['words_lost_elsewhere']}.",
            f"FunASR's stop: {report['funasr_outcomes']}. Stops with audio waiting: {report['queued_stops']}.",
            "",
            *changed,
        )
    )
