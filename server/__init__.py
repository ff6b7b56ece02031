"""The health authority's side: codes, certificates, uploads and signed key files."""
