"""Thin servicers: decode, call the domain, encode. Only here does the gateway see protobuf messages."""
