"""Tables of Arrow and pandas: sightings in, results out."""
