"""What an INDEX is on disk: segments of photos, commits that list them, exact and approximate search in them."""
