from asr_service.domain.ports.model_store import ModelDownloadFailed


def test_a_failed_download_says_what_became_of_each_source() -> None:
    reasons = {"mirror": "404", "package-registry": "no network"}
    error = ModelDownloadFailed("whisper-base", reasons, hint="Check the network.")
    assert error.message == "whisper-base could not be fetched (mirror: 404; package-registry: no network)."
    assert (error.reasons, error.hint, error.code) == (reasons, "Check the network.", "model_download_failed")
    reasons.clear()
    assert list(error.reasons) == ["mirror", "package-registry"]
