"""Deploy: what runs the service and its surroundings; never part of the bento."""
