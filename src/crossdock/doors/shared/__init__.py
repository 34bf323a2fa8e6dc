"""What several doors use, and no one else."""
