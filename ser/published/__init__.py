"""What a publication reports beside what a study obtained: find our numbers, judge the claims, write a page."""
