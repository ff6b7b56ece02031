"""Everything the server keeps."""
