"""Decisions that belong to no single entity."""
