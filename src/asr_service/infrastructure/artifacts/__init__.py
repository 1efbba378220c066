"""The model manager: a catalogue with checksums, sources in order, and a cache that several processes share."""
