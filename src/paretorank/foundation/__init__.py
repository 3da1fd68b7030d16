"""What knows nothing about ranking."""
