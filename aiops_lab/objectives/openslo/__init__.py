"""OpenSLO v1: documents with lines, the fields of every kind, and what SLOs come to."""
