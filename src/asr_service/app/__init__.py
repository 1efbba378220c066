"""The inbound side: use cases, and the HTTP and WebSocket interfaces to them. Speaks the domain; knows no adapter."""
