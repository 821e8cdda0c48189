"""The story of the main job, told over public interfaces only."""
