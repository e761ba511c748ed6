"""The story's acts, each a function that needs the ones before it; story.py says in which order they come."""
