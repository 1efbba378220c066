"""The native REST interface, under ``/api/v1``, and the operational endpoints."""
