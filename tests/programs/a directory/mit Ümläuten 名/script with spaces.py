"""A script and a module in a directory with spaces and letters of other scripts."""
import neighbour_ü

for i in range(3):
    neighbour_ü.greet(i)
