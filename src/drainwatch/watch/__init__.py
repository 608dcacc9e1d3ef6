"""Live: the only event loop. Streams in, judged fills and incidents out, nothing lost and nothing twice."""
