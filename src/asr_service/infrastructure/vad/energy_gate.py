"""Spares the model the windows in which there is nothing to hear."""

import numpy as np
from numpy.typing import NDArray

SILENCE_DBFS = -70.0  # below the noise of a live microphone (about -65), above digital silence with dither (about -95)
SETTLING_WINDOWS = 32  # 1 s
_SILENCE_POWER = 10 ** (SILENCE_DBFS / 10)


class EnergyGate:
    """Decides for one stream which windows the model is asked about.

    A window is quiet when its power, a constant offset aside, is below ``SILENCE_DBFS``. The model still hears the
    first ``SETTLING_WINDOWS`` of a quiet stretch, so that it follows the decay of speech and its state comes to rest;
    from then on windows are skipped, and the state stays as it is. Measured over 58 recordings of speech, music and
    noise: no window changes sides at a threshold of 0.5 (with half the settling, four do). After 5–30 s of skipped
    silence speech is found about one window earlier than by a model that ran all the time; resetting the state instead
    finds it later.
    """

    def __init__(self, quiet_windows: int = 0) -> None:
        self.quiet_windows = quiet_windows  # in a row, up to the last window seen

    def admit(self, windows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tells for each window whether the model must hear it.

        Args:
            windows: The next windows of the stream, ``[count, samples]``, full scale at 1.

        Returns:
            ``[count]``, true where the model is needed.
        """
        count = windows.shape[1]
        offset = np.einsum("ij->i", windows) / count
        quiet = np.einsum("ij,ij->i", windows, windows) / count - offset * offset < _SILENCE_POWER
        admitted = np.ones(len(quiet), dtype=np.bool_)
        if not quiet.any():
            self.quiet_windows = 0
            return admitted
        for position, is_quiet in enumerate(quiet.tolist()):
            self.quiet_windows = self.quiet_windows + 1 if is_quiet else 0
            admitted[position] = self.quiet_windows <= SETTLING_WINDOWS
        return admitted
