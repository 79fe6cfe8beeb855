"""Theory: what a pass should measure, by mean field and finite width, and the advice it gives."""
