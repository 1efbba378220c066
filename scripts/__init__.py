"""Programs for set-up and measuring; run them as ``python -m scripts.NAME`` from the root of the clone."""
