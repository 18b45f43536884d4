"""Which security risks show up in tests and in traffic?"""
