"""Engines and what runs them: workers, batching, models."""
