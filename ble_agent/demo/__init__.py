"""The whole story on one machine: real processes that meet, test positive, publish and find out."""
