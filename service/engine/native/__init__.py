"""native: units 1 to 5 of the paper's network as a small compiled library for x86-64 CPUs."""
