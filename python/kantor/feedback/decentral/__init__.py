"""Planning without a centre that knows everything: many agents, indicative prices, and what they would trade."""
