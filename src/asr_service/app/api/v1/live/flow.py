"""When a client is told that one side waits for the other."""

from asr_service.domain.events.session_events import FlowState

WAIT_WORTH_TELLING_S = 0.1  # of one frame; shorter waits are the jitter of a server at work
QUIET_S = 1.0  # between two hints, so that they are no load of their own


class FlowHints:
    """Follows the flow of one session; a hint is due when the state is another than was told, once a second at most.

    Nobody waits for a hint: a change within the quiet second is seen with the first observation after it, if it lasts.
    """

    def __init__(self) -> None:
        self.waited_s = 0.0  # of the client's last frame, for room
        self._partial_dropped = False
        self._told = FlowState.NORMAL
        self._told_at_s: float | None = None

    def frame_waited(self, waited_s: float) -> None:
        """The client's last frame waited so long for room."""
        self.waited_s = waited_s

    def partial_due(self, *, dropped: bool) -> None:
        """A partial was sent, or dropped since the client reads too slowly."""
        self._partial_dropped = dropped

    def due(self, now_s: float) -> FlowState | None:
        """The state that is to be told now; ``None``: nothing is."""
        state = self._state()
        if state is self._told or (self._told_at_s is not None and now_s - self._told_at_s < QUIET_S):
            return None
        self._told, self._told_at_s = state, now_s
        return state

    def _state(self) -> FlowState:
        if self._partial_dropped:
            return FlowState.OUTPUT_WAITS
        return FlowState.INPUT_WAITS if self.waited_s >= WAIT_WORTH_TELLING_S else FlowState.NORMAL
