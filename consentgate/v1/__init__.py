"""Generated from protos/consentgate/v1 by dev/generate_stubs.py; never edited by hand."""
