"""Live streams over WebSocket."""
