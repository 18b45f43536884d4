"""Which way of dividing, indexing and retrieving documents finds the right passages?"""
