"""Wire protocols over TCP: pure, as those over WebSocket are."""
