"""Readers of traces: OTLP in files, and the spans that SDKs and Phoenix print."""
