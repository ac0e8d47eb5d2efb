"""Pictures as pixels: decoding, colours, drawing and writing anew. Only the decoding process does any of it."""
