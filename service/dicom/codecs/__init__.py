"""codecs: compressed frames to stored values, each behind a gate that reads its header first."""
