"""Statistics: pure functions of numbers, with their source; they know nothing of the lab."""
