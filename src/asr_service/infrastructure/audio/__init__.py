"""From any format to canonical audio: PyAV reads containers, soxr resamples."""
