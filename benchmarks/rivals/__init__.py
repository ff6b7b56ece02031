"""Other ways to match, each as good as its means allow; all answer the same question."""
