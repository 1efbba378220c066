"""Numbers as they are written and as they are said, in tables of cases and for any text."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_service.domain.value_objects.asr_config import Numbers
from asr_service.domain.value_objects.language import Script
from asr_service.infrastructure.text.number_grammars import NumberGrammars
from asr_service.infrastructure.text.numbers_step import NumbersStep
from tests.fakes.engines import CAPABILITIES
from tests.fixtures.manuscripts import manuscript

STEP = NumbersStep(NumberGrammars())
ENGINE_OF_WORDS = replace(CAPABILITIES, spoken_numbers=True)

ENGLISH = {
    "cardinal": ("we sold three hundred and twelve of them", "we sold 312 of them"),
    "a hundred": ("I paid a hundred and fifty thousand dollars.", "I paid $150000."),
    "hyphens and capitals": ("Twenty-five people came.", "25 people came."),
    "money": ("it costs nineteen dollars and ninety nine cents.", "it costs $19.99."),
    "euros": ("five euros, please", "€5, please"),
    "percent": ('He said "twenty percent", didn\'t he?', 'He said "20%", didn\'t he?'),
    "decimal": ("three point one four", "3.14"),
    "negative": ("minus forty degrees", "-40 degrees"),
    "year": ("in nineteen eighty four we moved", "in 1984 we moved"),
    "date": ("on March third, twenty twenty five", "on March 3rd, 2025"),
    "ordinal with a month": ("on the twenty-first of June", "on the 21st of June"),
    "large ordinal": ("the seventy-first time", "the 71st time"),
    "time": ("It starts at three thirty p.m. on Monday.", "It starts at 03:30 p.m. on Monday."),
    "telephone": ("my number is five five five one two three four five six seven", "my number is 555-123-4567"),
    "measure": ("two point five kilometers away", "2.5 km away"),
    "mixed with digits": ("In 1990 I had 20 dollars, and twenty more.", "In 1990 I had 20 dollars, and 20 more."),
    "a sentence that begins with one": ("One of them has twenty cats", "One of them has 20 cats"),
}
ENGLISH_WITHOUT = (
    "No numbers, at all — really; ok?",
    "the first time, in a second",
    "One of us has one dog and two cats.",
    "It's 'here', isn't it?  Two   spaces stay.",
    "half a million",
    "25% of $1,000.50 on 2025-03-05 at 3:30 p.m.",
    "",
)
CHINESE = {
    "cardinal": ("一共一百二十三个", "一共123个"),
    "date": ("今天是二零二五年三月五号。", "今天是2025年3月5号。"),
    "year and month": ("二零零八年八月", "2008年8月"),
    "time of day": ("下午三点半开会", "下午3:30开会"),
    "hour": ("晚上八点见", "晚上8点见"),
    "quarter": ("三点一刻", "3:15"),
    "minutes": ("九点十五分开始，十点零五分结束", "9:15开始，10:05结束"),
    "money": ("一共三百二十五块六毛", "一共325块6毛"),
    "yuan": ("三点五元", "¥3.5"),
    "percent": ("增长百分之六点五", "增长6.5%"),
    "fraction": ("四分之三", "3/4"),
    "telephone": ("我的电话是一三八零零一三八零零零。", "我的电话是13800138000。"),
    "emergency": ("请拨打幺幺零", "请拨打110"),
    "measure": ("二点五平方公里", "2.5平方公里"),
    "ordinal": ("第三十二名", "第32名"),
    "large": ("达到一百万亿元", "达到100万亿元"),
    "mixed": ("他说“三十”，GDP 增长百分之五", "他说“30”，GDP 增长5%"),
    "mixed with digits": ("我花了25块钱，又花了三十块", "我花了25块钱，又花了30块"),
}
CHINESE_WITHOUT = (
    "今天天气很好。",
    "他说一点也不好",
    "一个人两只猫，三心二意",
    "他十几岁，我二十几岁",
    "一二三四五六七八九十",
    "2025年3月5日下午3:30，共25%",
    "Hello, 你好！",
    "",
)
ENGLISH_SPOKEN = {
    "money": ("I paid $25.30.", "I paid twenty five point three dollars."),
    "percent": ("25% of people", "twenty five percent of people"),
    "time": ("at 3:30 p.m.", "at three thirty p.m."),
    "year": ('in 1990, "7" of them', 'in nineteen ninety, "seven" of them'),
    "thousands": ("It's 150,000. Don't.", "It's one hundred fifty thousand. Don't."),
    "decade": ("in the 1990s", "in the 1990s"),
    "nothing": ("Dr. Smith said no.", "Dr. Smith said no."),
}
CHINESE_SPOKEN = {
    "date": ("今天是2025年3月5号", "今天是二零二五年三月五号"),
    "money": ("￥325.6，共1,234元", "三百二十五点六元，共一千二百三十四元"),
    "percent": ("25%的人", "百分之二十五的人"),
    "time": ("15:30开会。", "十五点三十分开会。"),
    "nothing": ("今天天气很好。", "今天天气很好。"),
}


def written(text: str, language: str) -> str:
    return STEP.of_whole(text, manuscript(language, numbers=Numbers.WRITTEN))


def spoken(text: str, language: str) -> str:
    return STEP.of_whole(text, manuscript(language, numbers=Numbers.SPOKEN))


@pytest.mark.parametrize(("said", "expected"), ENGLISH.values(), ids=ENGLISH)
def test_english_numbers_are_written_in_digits(said: str, expected: str) -> None:
    assert written(said, "en") == expected


@pytest.mark.parametrize(("said", "expected"), CHINESE.values(), ids=CHINESE)
def test_chinese_numbers_are_written_in_digits(said: str, expected: str) -> None:
    assert written(said, "zh") == expected


@pytest.mark.parametrize(
    ("text", "language"), [*((text, "en") for text in ENGLISH_WITHOUT), *((text, "zh") for text in CHINESE_WITHOUT)]
)
def test_text_without_numbers_in_words_stays_as_it_is(text: str, language: str) -> None:
    assert written(text, language) == text


@pytest.mark.parametrize(("text", "expected"), ENGLISH_SPOKEN.values(), ids=ENGLISH_SPOKEN)
def test_english_digits_are_read(text: str, expected: str) -> None:
    assert spoken(text, "en") == expected


@pytest.mark.parametrize(("text", "expected"), CHINESE_SPOKEN.values(), ids=CHINESE_SPOKEN)
def test_chinese_digits_are_read(text: str, expected: str) -> None:
    assert spoken(text, "zh") == expected


@pytest.mark.parametrize(
    ("numbers", "script", "text", "expected"),
    [
        (Numbers.WRITTEN, Script.TRADITIONAL, "我花了三十萬，下午三點半見", "我花了300000，下午3:30見"),
        (Numbers.WRITTEN, Script.AS_RECOGNIZED, "五月五號，電腦", "5月5號，電腦"),
        (Numbers.SPOKEN, Script.TRADITIONAL, "1.5倍，3萬個", "一點五倍，三萬個"),
        (Numbers.SPOKEN, Script.AS_RECOGNIZED, "1.5萬個", "一點五萬個"),
    ],
)
def test_numbers_are_rewritten_in_either_script(numbers: Numbers, script: Script, text: str, expected: str) -> None:
    assert STEP.of_whole(text, manuscript("zh", numbers=numbers, script=script)) == expected


def test_masks_part_the_text() -> None:
    assert written("twenty **** thirty", "en") == "20 **** 30"


def test_partials_keep_their_numbers() -> None:
    assert STEP.of_beginning("twenty", manuscript(numbers=Numbers.WRITTEN)) == "twenty"


@pytest.mark.parametrize(
    ("language", "numbers", "engine_can", "wanted"),
    [
        ("en", Numbers.WRITTEN, False, True),
        ("zh", Numbers.WRITTEN, True, True),
        ("en", Numbers.SPOKEN, False, True),
        ("en", Numbers.SPOKEN, True, False),
        ("en", Numbers.AS_RECOGNIZED, False, False),
        ("fr", Numbers.WRITTEN, False, False),
        (None, Numbers.WRITTEN, False, False),
    ],
)
def test_it_does_what_is_asked_for_and_the_engine_cannot(
    language: str | None, numbers: Numbers, engine_can: bool, wanted: bool
) -> None:
    engine = CAPABILITIES if not engine_can else ENGINE_OF_WORDS
    assert STEP.is_wanted(manuscript(language, engine=engine, numbers=numbers)) is wanted


ENGLISH_PIECES = (
    *(
        "zero",
        "one",
        "two",
        "seven",
        "ten",
        "twelve",
        "twenty",
        "thirty-five",
        "ninety",
        "hundred",
        "thousand",
        "million",
    ),
    *(
        "and",
        "point",
        "a",
        "first",
        "twenty-first",
        "percent",
        "dollars",
        "cents",
        "may",
        "March",
        "of",
        "people,",
        "in.",
    ),
    *("o'clock", "half", "p.m.", "5", "1990"),
)
ENGLISH_WORDS = st.lists(st.sampled_from(ENGLISH_PIECES), max_size=9).map(" ".join)
CHINESE_WORDS = st.lists(
    st.sampled_from("零一二三五八十百千万亿两几点分年月日号块百分之半，。第个人5下午"), max_size=10
).map("".join)


@given(ENGLISH_WORDS)
def test_written_english_is_written_the_same_again(text: str) -> None:
    once = written(text, "en")
    assert written(once, "en") == once


@given(CHINESE_WORDS)
def test_written_chinese_is_written_the_same_again(text: str) -> None:
    once = written(text, "zh")
    assert written(once, "zh") == once


@settings(max_examples=200)
@given(st.text(max_size=60) | ENGLISH_WORDS | CHINESE_WORDS, st.sampled_from(["en", "zh"]))
def test_any_text_is_taken(text: str, language: str) -> None:
    for rewritten in (written(text, language), spoken(text, language)):
        assert isinstance(rewritten, str)
        assert bool(rewritten.strip()) == bool(text.strip())
