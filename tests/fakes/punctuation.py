"""Stand-ins for what restores punctuation."""


class FullStopRestorer:
    """Ends every text with a full stop; knows English and Chinese."""

    languages = frozenset({"en", "zh"})

    def restore(self, text: str, language: str) -> str:
        """See ``PunctuationRestorer``."""
        return text + ("。" if language == "zh" else ".")


class BrokenRestorer(FullStopRestorer):
    """Fails on every text."""

    def restore(self, text: str, language: str) -> str:
        """See ``PunctuationRestorer``; but for the failing."""
        raise RuntimeError(text)
