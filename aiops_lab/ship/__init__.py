"""Stage "ship": did a change make answers better or worse, and may it be released?"""
