"""How much of each budget is spent, how fast it burns, and what a change would cost of it."""
