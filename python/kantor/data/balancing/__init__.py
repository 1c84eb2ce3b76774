"""Balancing of reported data: tables, subtotals and supply-use pairs that do not add up yet."""
