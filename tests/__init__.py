"""Tests, in rooms as those of sae_fast: one file per concept, and in helpers what several share."""
