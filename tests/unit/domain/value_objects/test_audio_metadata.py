import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.value_objects.audio_metadata import (
    AudioEncoding,
    AudioFormat,
    SampleSpan,
    ms_from_samples,
    s_from_samples,
    samples_from_ms,
)


class TestSampleSpan:
    def test_its_length_is_the_number_of_its_samples(self) -> None:
        assert len(SampleSpan(10, 30)) == 20
        assert len(SampleSpan(10, 10)) == 0

    @pytest.mark.parametrize(("start", "end"), [(-1, 0), (-5, -1), (2, 1)])
    def test_it_is_a_stretch_of_the_stream(self, start: int, end: int) -> None:
        with pytest.raises(ValueError, match=f"no such span: {start}–{end}"):
            SampleSpan(start, end)

    def test_it_can_be_moved_inside_the_stream(self) -> None:
        assert SampleSpan(10, 30).shifted(5) == SampleSpan(15, 35)
        assert SampleSpan(10, 30).shifted(-10) == SampleSpan(0, 20)
        with pytest.raises(ValueError, match="no such span"):
            SampleSpan(10, 30).shifted(-11)

    def test_spans_are_in_order_of_their_starts(self) -> None:
        assert sorted([SampleSpan(5, 6), SampleSpan(0, 9), SampleSpan(0, 3)]) == [
            SampleSpan(0, 3),
            SampleSpan(0, 9),
            SampleSpan(5, 6),
        ]


class TestTime:
    def test_a_second_is_16000_samples(self) -> None:
        assert samples_from_ms(1_000) == 16_000
        assert ms_from_samples(16_000) == 1_000
        assert s_from_samples(16_000) == 1.0

    def test_milliseconds_are_rounded_down(self) -> None:
        assert [ms_from_samples(samples) for samples in (0, 15, 16, 31)] == [0, 0, 1, 1]

    def test_seconds_are_rounded_to_the_millisecond(self) -> None:
        assert [s_from_samples(samples) for samples in (7, 9, 512, 8_000)] == [0.0, 0.001, 0.032, 0.5]

    @given(st.integers(0, 10**9))
    def test_milliseconds_come_back_unchanged(self, milliseconds: int) -> None:
        assert ms_from_samples(samples_from_ms(milliseconds)) == milliseconds


class TestAudioFormat:
    def test_canonical_audio_is_what_is_meant_when_nothing_is_said(self) -> None:
        assert AudioFormat() == AudioFormat(AudioEncoding.PCM_S16LE, 16_000, 1)

    @pytest.mark.parametrize("rate_hz", [8_000, 44_100, 192_000])
    def test_common_rates_are_accepted(self, rate_hz: int) -> None:
        assert AudioFormat(sample_rate_hz=rate_hz).sample_rate_hz == rate_hz

    @pytest.mark.parametrize("rate_hz", [-1, 0, 7_999, 192_001])
    def test_other_rates_are_refused(self, rate_hz: int) -> None:
        with pytest.raises(ValueError, match=f"sample rate {rate_hz} Hz is outside 8000–192000"):
            AudioFormat(sample_rate_hz=rate_hz)

    @pytest.mark.parametrize("channels", [1, 2, 8])
    def test_up_to_eight_channels_are_accepted(self, channels: int) -> None:
        assert AudioFormat(channels=channels).channels == channels

    def test_a_packet_of_opus_has_two_channels_at_most(self) -> None:
        assert AudioFormat(AudioEncoding.OPUS, channels=2).channels == 2
        with pytest.raises(ValueError, match="3 channels of Opus"):
            AudioFormat(AudioEncoding.OPUS, channels=3)

    @pytest.mark.parametrize("channels", [-1, 0, 9])
    def test_other_numbers_of_channels_are_refused(self, channels: int) -> None:
        with pytest.raises(ValueError, match=f"{channels} channels are outside 1–8"):
            AudioFormat(channels=channels)
