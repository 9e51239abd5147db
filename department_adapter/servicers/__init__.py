"""Thin servicers: decode, call the domain, encode. Only here does the adapter see protobuf messages of its services."""
