"""One module per revision, in order of their numbers; what a release has shipped is never edited."""
