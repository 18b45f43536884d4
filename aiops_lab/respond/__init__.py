"""Respond: which artefact did it, what to replay, and what to write down."""
