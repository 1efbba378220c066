"""From several channels to one."""

import numpy as np
from numpy.typing import NDArray

LIVE_AMPLITUDE = 0.001  # -60 dBFS: above the hiss and hum of an input that nothing is plugged into


class Downmixer:
    """Mixes the channels of one stream; the result does not depend on how the stream is cut into calls.

    A sample of the mix is the mean over the live channels. A channel is live from its first sample beyond
    ``LIVE_AMPLITUDE`` on, until the end; as long as none is, all count. So a dead channel (an unused input, the other
    side of a call that says nothing) does not halve the level of the one with the speech in it, and quiet recordings
    are mixed as usual.
    """

    def __init__(self, channels: int) -> None:
        self._live = np.zeros(channels, np.bool_)

    def mix(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Takes the next ``[frames, channels]``; returns ``[frames]``."""
        if frames.shape[1] == 1:
            return frames[:, 0]
        if (np.abs(frames[:, ~self._live]) > LIVE_AMPLITUDE).any():
            return self._mix_with_onsets(frames)
        counted = frames[:, self._live] if self._live.any() and not self._live.all() else frames
        return _sum_of_channels(counted) / np.float32(counted.shape[1])

    def _mix_with_onsets(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        live = np.abs(frames) > LIVE_AMPLITUDE
        live[0] |= self._live
        np.logical_or.accumulate(live, axis=0, out=live)
        self._live = live[-1].copy()
        counted = live | ~live.any(axis=1, keepdims=True)
        mix: NDArray[np.float32] = _sum_of_channels(frames * counted) / counted.sum(axis=1, dtype=np.float32)
        return mix


def _sum_of_channels(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Adds in a fixed order, which NumPy's ``sum`` over an axis does not promise: every cut gives the same bits."""
    total = frames[:, 0].copy()
    for channel in range(1, frames.shape[1]):
        total += frames[:, channel]
    return total
