"""Stage "watch": did what runs in production shift, since when, and by how much?"""
