"""Ballots: from what people write to weights and projects, with an audit trail; strategy and privacy."""
