"""Rules: which files are taken, and where they go. Total, pure, and bounded in time whatever the rules say."""
