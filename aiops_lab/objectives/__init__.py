"""What a team promises of its answers: as it is written down, and what each word of it means."""
