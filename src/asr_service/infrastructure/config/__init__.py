"""The settings: one model, where its values come from, and how it is described."""
