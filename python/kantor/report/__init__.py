"""What a person reads: numbers in words, a static HTML report of a plan."""
