// Carries the precompiled test header; has no code of its own.
