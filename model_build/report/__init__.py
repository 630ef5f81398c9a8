"""Report: the page that compares trained networks with each other and with the papers."""
