"""A simulator of our own that speaks CARLA's protocol, in a process of its own."""
