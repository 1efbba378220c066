"""Parts of the recognizers that ask another server."""
