"""What a team promises of its answers, what each promise leaves room for, and what cannot work."""
