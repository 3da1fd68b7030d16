"""One function per verb; each reads as a paragraph."""
