"""Sentences that Whisper writes when it hears none: they closed the videos, and their subtitles, that it learned from.

Source: what people report in the public threads of openai/whisper (on the bias of its data, on audio without speech), of
WhisperLive and of speaches, and what the base model wrote for noise and music. Each of these can be said in earnest, so a
text that consists of them is dropped only when the evidence is weak as well.
"""

import re
import unicodedata

from asr_service.infrastructure.asr.whisper.one_script import simplified
from asr_service.infrastructure.asr.whisper.repetition import units

PHANTOM_PHRASES: dict[str, tuple[str, ...]] = {
    "zh": (
        "谢谢",
        "谢谢大家",
        "谢谢观看",
        "感谢观看",
        "感谢收看",
        "谢谢收看",
        "感谢您的观看",
        "感谢大家观看",
        "谢谢大家观看",
        "下次再见",
        "我们下期再见",
        "拜拜",
        "嗯",
        "啊",
        "请订阅",
        "请订阅我的频道",
        "欢迎订阅我的频道",
        "请不吝点赞订阅转发打赏支持明镜与点点栏目",
        "明镜需要您的支持欢迎订阅明镜",
        "字幕由amaraorg社区提供",
        "字幕by索兰娅",
        "字幕志愿者杨茜茜",
        "字幕志愿者李宗盛",
        "中文字幕志愿者杨茜茜",
        "中文字幕志愿者李宗盛",
        "优优独播剧场yoyotelevisionseriesexclusive",
        "本集完",
        "未完待续",
        "词曲李宗盛",
        "作词李宗盛",
        "作曲李宗盛",
    ),
    "en": (
        "you",
        "thank you",
        "thank you very much",
        "thank you so much",
        "thank you for watching",
        "thanks for watching",
        "thank you for watching and see you next time",
        "thank you for listening",
        "please subscribe",
        "please subscribe to my channel",
        "please like and subscribe",
        "dont forget to subscribe",
        "like and subscribe",
        "ill see you in the next video",
        "ill see you next time",
        "see you next time",
        "see you in the next video",
        "bye",
        "bye bye",
        "so",
        "oh",
        "okay",
        "the end",
        "subtitles by the amaraorg community",
        "subtitles by amaraorg",
        "transcription by castingwords",
        "transcribed by otterai",
        "captions by getransripted",
        "music",
        "applause",
    ),
    "ja": (
        "ご視聴ありがとうございました",
        "ご清聴ありがとうございました",
        "最後までご視聴頂きありがとうございました",
        "ありがとうございました",
        "チャンネル登録お願いします",
        "チャンネル登録よろしくお願いします",
        "おやすみなさい",
        "ん",
    ),
    "ko": (
        "시청해주셔서감사합니다",
        "구독과좋아요부탁드립니다",
        "감사합니다",
        "다음영상에서만나요",
        "mbc뉴스이덕영입니다",
        "mbc뉴스김재경입니다",
    ),
    "de": (
        "untertitel der amaraorg community",
        "untertitelung des zdf 2020",
        "untertitelung aufgrund der amaraorg community",
        "untertitel im auftrag des zdf für funk 2017",
        "vielen dank",
        "vielen dank fürs zuschauen",
    ),
    "fr": (
        "soustitres réalisés para la communauté damaraorg",
        "soustitres réalisés par la communauté damaraorg",
        "soustitrage st 501",
        "soustitrage société radiocanada",
        "merci davoir regardé cette vidéo",
        "merci",
    ),
    "es": (
        "subtítulos realizados por la comunidad de amaraorg",
        "subtítulos por la comunidad de amaraorg",
        "gracias por ver el video",
        "suscríbete al canal",
        "gracias",
    ),
    "pt": ("legendas pela comunidade amaraorg", "obrigado por assistir", "obrigado", "e aí"),
    "it": ("sottotitoli creati dalla comunità amaraorg", "sottotitoli e revisione a cura di qtss", "grazie"),
    "ru": (
        "субтитры сделал dimatorzok",
        "субтитры создавал dimatorzok",
        "субтитры подогнал симон",
        "редактор субтитров асемкин корректор аегорова",
        "спасибо за просмотр",
        "продолжение следует",
    ),
    "tr": ("altyazı mk", "izlediğiniz için teşekkür ederim"),
    "pl": ("napisy stworzone przez społeczność amaraorg", "dziękuję za uwagę", "dziękuję"),
    "nl": ("ondertiteld door de amaraorg gemeenschap", "ondertitels ingediend door de amaraorg gemeenschap", "bedankt"),
    "ar": ("ترجمة نانسي قنقر", "شكرا", "اشتركوا في القناة"),
}


def is_phantom(text: str) -> bool:
    """Whether the text consists of such phrases only, one or several, in whatever language.

    The language is not asked for: on noise, what Whisper takes for the language is as much a phantom as the text.
    """
    return _PATTERN.fullmatch(_essence(text)) is not None


def echoes(text: str, previous: str) -> bool:
    """Whether the text only says what the prompt or the hotwords say, as it does when there is nothing to hear."""
    return {unit.text for unit in units(text)} <= {unit.text for unit in units(previous)}


def _essence(text: str) -> str:
    composed = simplified(unicodedata.normalize("NFKC", text)).casefold()
    return "".join(character for character in composed if unicodedata.category(character)[0] in "LMN")


_ESSENCES = {_essence(phrase) for phrases in PHANTOM_PHRASES.values() for phrase in phrases}
_PATTERN = re.compile(f"(?:{'|'.join(sorted(_ESSENCES, key=len, reverse=True))})+")
