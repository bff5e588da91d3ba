"""What must never break, tried often: how many were tried and how many held."""
