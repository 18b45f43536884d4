"""What a model decides: the calendar in it, the inputs that carry it, and where it was learned."""
