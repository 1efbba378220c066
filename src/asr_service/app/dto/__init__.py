"""The JSON shapes of the REST interfaces."""
