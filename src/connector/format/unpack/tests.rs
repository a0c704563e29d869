//! What comes out of archives, and what is refused.
