"""Runs beside a department's database; releases encrypted features against an evidence bundle it verifies itself."""
