"""The living plan: new data in, new plan out, monitors, books, shocks, ballots, and procedures without a centre."""
