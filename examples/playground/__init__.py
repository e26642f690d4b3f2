"""A page in which the report's network trains live: ``python -m examples.playground`` writes it, one HTML file."""
